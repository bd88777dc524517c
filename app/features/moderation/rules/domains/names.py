"""Host names as they are compared, and sets of 10^5 of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import idna

from app.features.moderation.text.view import as_folded, as_leet

_HOST = re.compile(
    r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.?", re.ASCII
)
_ADDRESS = re.compile(r"[0-9.]+", re.ASCII)
LONGEST_HOST = 253
LONGEST_LABEL = 63
MOST_LABELS = 20
LONGEST_LINE = 1_000


@lru_cache(maxsize=16_384)
def normal_host(host: str) -> str | None:
    """Return the name in lower-case punycode without a final dot; None when no host can be called that."""
    host = host.lower().rstrip(".")
    if not host.isascii():
        try:
            host = idna.encode(host, uts46=True).decode("ascii")
        except (idna.IDNAError, UnicodeError):
            return None
    if len(host) > LONGEST_HOST or _HOST.fullmatch(host) is None:
        return None
    return host


def host_in_text(name: str) -> str | None:
    """As `normal_host`, for names out of a layer's text: those are in NFKC and lower case already.

    Punycode alone is ten times faster than all checks of IDNA, and a name that IDNA refuses is listed nowhere.
    """
    if name.isascii():
        return normal_host(name)
    labels = name.rstrip(".").split(".")
    if len(labels) > MOST_LABELS or any(len(label) > LONGEST_LABEL for label in labels):
        return None
    try:
        written = [
            label if label.isascii() else "xn--" + label.encode("punycode").decode("ascii")
            for label in labels
        ]
    except UnicodeError:
        return None
    return normal_host(".".join(written))


@lru_cache(maxsize=16_384)
def shown_host(host: str) -> str:
    """Return the name as a reader sees it: punycode decoded where it can be."""
    if "xn--" not in host:
        return host
    try:
        return ".".join(
            label[4:].encode("ascii").decode("punycode") if label.startswith("xn--") else label
            for label in host.split(".")
        )
    except UnicodeError:
        return host


def entry_of(line: str) -> str | None:
    """Read one line of a list; None: nothing is listed there.

    Understood are plain domains, `=host`, `*.domain`, URLs, hosts files (`0.0.0.0 domain`) and `||domain^` of ad
    blockers. Everything after `#`, `!` or a space after the name is a remark.
    """
    text = line.strip().lower()
    if not text or text[0] in "#!/[" or len(text) > LONGEST_LINE:
        return None
    text = text.split("#", 1)[0].strip()
    words = text.split()
    if len(words) > 1 and _ADDRESS.fullmatch(words[0]):
        text = words[1]
    elif words:
        text = words[0]
    if text.startswith("||"):
        text = text[2:].split("^", 1)[0]
    if "://" in text:
        text = text.split("://", 1)[1]
    mark = ""
    if text.startswith("="):
        mark, text = "=", text[1:]
    elif text.startswith("*."):
        mark, text = "*.", text[2:]
    host = normal_host(re.split(r"[/:?,;]", text, maxsplit=1)[0])
    if host is None or _ADDRESS.fullmatch(host):
        return None
    return mark + host


def entries(lines: Iterable[str]) -> Iterator[str]:
    """Yield the entries of a list's lines."""
    for line in lines:
        entry = entry_of(line)
        if entry is not None:
            yield entry


@dataclass(frozen=True, slots=True)
class DomainSet:
    """Listed names. A look-up costs one hash per label of the host, however long the list is.

    `everywhere` holds names that count with all hosts below them, `exact` single hosts, `below` names of which only
    the hosts below count. About 100 bytes per domain.
    """

    everywhere: frozenset[str] = frozenset()
    exact: frozenset[str] = frozenset()
    below: frozenset[str] = frozenset()

    @classmethod
    def of(cls, listed: Iterable[str]) -> DomainSet:
        """Build it from entries as `entry_of` returns them."""
        everywhere, exact, below = set(), set(), set()
        for entry in listed:
            if entry.startswith("="):
                exact.add(entry[1:])
            elif entry.startswith("*."):
                below.add(entry[2:])
            else:
                everywhere.add(entry)
        return cls(frozenset(everywhere), frozenset(exact), frozenset(below))

    def __len__(self) -> int:
        return len(self.everywhere) + len(self.exact) + len(self.below)

    def find(self, host: str) -> str | None:
        """Return the entry that a normal host falls under."""
        if host in self.exact or host in self.everywhere:
            return host
        position = host.find(".")
        while position >= 0:
            parent = host[position + 1 :]
            if parent in self.everywhere or parent in self.below:
                return parent
            position = host.find(".", position + 1)
        return None

    def names(self) -> Iterator[str]:
        """Yield all names without their marks."""
        yield from self.everywhere
        yield from self.exact
        yield from self.below


def skeletons(host: str) -> frozenset[str]:
    """Return what a host looks like at a glance: look-alike letters folded, digits read as letters, rn as m."""
    shown = shown_host(host)
    folded = as_folded(shown)
    leet = as_leet(shown)
    return frozenset({folded, leet, leet.replace("rn", "m").replace("vv", "w")})


class Lookalikes:
    """Tells whether a host imitates one of a few protected ones."""

    def __init__(self, protected: Iterable[str]) -> None:
        self._genuine = DomainSet(everywhere=frozenset(protected))
        self._looks = {look: name for name in self._genuine.everywhere for look in skeletons(name)}

    def imitated(self, host: str) -> str | None:
        """Return the protected name that the host looks like without being it or below it."""
        if not self._looks or self._genuine.find(host) is not None:
            return None
        for look in skeletons(host):
            position = -1
            while True:
                found = self._looks.get(look[position + 1 :])
                if found is not None:
                    return found
                position = look.find(".", position + 1)
                if position < 0:
                    break
        return None
