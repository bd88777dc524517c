"""Uploaded files: kept in memory, served under signed-looking URLs, described as attachment objects."""

from __future__ import annotations

import mimetypes
import re
import secrets
import struct
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

MOST_BYTES_KEPT = 256 * 1024 * 1024
"""All files together; the oldest go first (our choice)."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file on its way in."""

    filename: str
    content: bytes
    content_type: str = ""


class Files:
    """Takes uploads and gives them an id and a URL below `base_url()`."""

    def __init__(self, next_id: Callable[[], int], base_url: Callable[[], str]) -> None:
        self._next_id = next_id
        self._base_url = base_url
        self._kept: OrderedDict[int, Upload] = OrderedDict()
        self._bytes = 0

    def get(self, attachment_id: int) -> Upload | None:
        """The file, if it is still kept."""
        return self._kept.get(attachment_id)

    def put(
        self,
        upload: Upload,
        *,
        channel_id: int,
        description: str | None = None,
        spoiler: bool = False,
        ephemeral: bool = False,
    ) -> dict[str, Any]:
        """Keep a file; returns its attachment object."""
        attachment_id = self._next_id()
        name = safe_name(upload.filename)
        if spoiler and not name.startswith("SPOILER_"):
            name = f"SPOILER_{name}"
        content_type = upload.content_type or mimetypes.guess_type(name)[0] or "application/octet-stream"
        self._kept[attachment_id] = Upload(name, upload.content, content_type)
        self._bytes += len(upload.content)
        while self._bytes > MOST_BYTES_KEPT and len(self._kept) > 1:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= len(oldest.content)
        kind = "ephemeral-attachments" if ephemeral else "attachments"
        signature = f"ex={secrets.token_hex(4)}&is={secrets.token_hex(4)}&hm={secrets.token_hex(32)}"
        url = f"{self._base_url()}/{kind}/{channel_id}/{attachment_id}/{name}?{signature}"
        described: dict[str, Any] = {
            "id": str(attachment_id),
            "filename": name,
            "size": len(upload.content),
            "url": url,
            "proxy_url": url,
            "content_type": content_type,
        }
        if name != upload.filename:
            described["title"] = upload.filename
        if description:
            described["description"] = description
        if ephemeral:
            described["ephemeral"] = True
        size = png_size(upload.content)
        if size is not None:
            described["width"], described["height"] = size
        return described


def safe_name(filename: str) -> str:
    """The name as it stands in URLs: letters, digits, dot, dash, underscore."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", filename).strip("_.") or "file"


def png_size(content: bytes) -> tuple[int, int] | None:
    """Width and height of a PNG; other kinds go without."""
    if content[:8] != b"\x89PNG\r\n\x1a\n" or len(content) < 24:
        return None
    width, height = struct.unpack(">II", content[16:24])
    return width, height
