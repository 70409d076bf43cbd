"""A text file in pieces, for what reads text of any length."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from timeloom.data.readers.opened import opened
from timeloom.data.readers.text import not_utf8


def pieces(path: str | Path, size: int = 1 << 20) -> Iterator[str]:
    """The text of a UTF-8 file, of any length, in pieces of about `size` bytes: memory stays flat.

    A piece ends behind a line's end, or behind a blank where there is no line's end in it, or anywhere where there is
    neither. Line ends are LF, whatever the file has; a byte-order mark is left out.
    """
    path, offset, rest = Path(path), 0, b""
    with opened(path) as file:
        while True:
            read = file.read(size)
            content = rest + read
            if not read:
                cut = len(content)
            else:
                cut = max(content.rfind(b"\n"), 0) or max(content.rfind(b" "), 0) or last_whole(content)
                cut += content[cut : cut + 1] in (b"\n", b" ")
            part, rest = content[:cut], content[cut:]
            try:
                text = part.decode("utf-8")
            except UnicodeDecodeError as error:
                raise not_utf8(part, error.start, offset, path) from None
            text = text.removeprefix("\ufeff") if offset == 0 else text
            if text:
                yield text.replace("\r\n", "\n")
            offset += cut
            if not read:
                return


def last_whole(content: bytes) -> int:
    """Where the last character begins that may not be whole, or a CR that may be half of a line's end."""
    cut = len(content) - 1
    while cut > 0 and len(content) - cut < 4 and 0x80 <= content[cut] < 0xC0:
        cut -= 1
    return cut if content[cut] >= 0xC0 or content[cut : cut + 1] == b"\r" else len(content)
