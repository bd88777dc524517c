"""Run PostgreSQL although we are root: it refuses uid 0.

In a user namespace of its own the server sees itself as uid 1000 while the files stay root's, so nothing needs a
new OS user, a chown, or a data folder that others can traverse. Where the kernel forbids such namespaces, the
server runs as `nobody` in a folder that is given to it.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import signal
from collections.abc import Callable
from pathlib import Path

CLONE_NEWUSER = 0x1000_0000  # <linux/sched.h>
PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def die_with_parent(how: signal.Signals) -> Callable[[], None]:
    """Return a preexec function: the child gets `how` when the keeper dies, even by kill -9."""
    libc = ctypes.CDLL(None)

    def set_signal() -> None:
        libc.prctl(PR_SET_PDEATHSIG, int(how))

    return set_signal


def as_ordinary_user(folders: list[Path], how: signal.Signals) -> Callable[[], None]:
    """Return a preexec function that leaves root behind, for a server that writes to `folders`."""
    end = die_with_parent(how)
    if os.geteuid() != 0:
        return end
    if _namespaces_work():

        def into_namespace() -> None:
            _enter_namespace()
            end()

        return into_namespace
    nobody = pwd.getpwnam("nobody")
    for folder in folders:
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)

    def become_nobody() -> None:
        os.setgroups([])
        os.setgid(nobody.pw_gid)
        os.setuid(nobody.pw_uid)
        end()

    return become_nobody


def _enter_namespace() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "unshare(CLONE_NEWUSER)")
    Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
    Path("/proc/self/uid_map").write_text("1000 0 1", encoding="ascii")
    Path("/proc/self/gid_map").write_text("1000 0 1", encoding="ascii")


def _namespaces_work() -> bool:
    child = os.fork()
    if child == 0:
        try:
            _enter_namespace()
            os._exit(0)
        except OSError:
            os._exit(1)
    return os.waitpid(child, 0)[1] == 0
