"""The lines of a text file, or of a stream, with their numbers: the ground under every reader."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO

from timeloom.core import DataError
from timeloom.data.limits import MORE, current
from timeloom.data.readers.opened import opened

BOM = b"\xef\xbb\xbf"
SURROGATE = re.compile("[\ud800-\udfff]")

Lines = Iterable[tuple[int, str]]
"""Numbers from 1, and lines without their ends."""


def numbered_lines(source: str | Path | IO[str] | IO[bytes], encoding: str | None = None) -> Iterator[tuple[int, str]]:
    """Lines of a file (through gzip when its name ends in .gz) or of an open stream, read as they come.

    A line ends with LF or CRLF, or in a file without any LF with CR, and with nothing else; a byte-order mark at the
    start is no part of the first. Files are UTF-8, or UTF-16 or UTF-32 with its mark, unless an `encoding` is named.
    What cannot be opened or read is a DataError that names the file, and for bytes that are not UTF-8 the line and
    offset; so is a line longer than `timeloom.data.Limits` says.
    """
    if isinstance(source, str | Path):
        with opened(Path(source), encoding) as file:
            yield from decoded(file, Path(source))
    else:
        # Text streams over bytes (stdin) are read as bytes: what they hold is UTF-8, whatever the locale says.
        yield from decoded(getattr(source, "buffer", source), str(getattr(source, "name", "<stream>")))


def decoded(file: Iterable[bytes] | Iterable[str], name: str | Path) -> Iterator[tuple[int, str]]:
    offset = 0  # in bytes, of the line's start
    for number, raw in enumerate(within_limit(file, name), start=1):
        if isinstance(raw, str):
            whole_characters(raw, "the line", name, number)
            yield number, raw.rstrip("\r\n").removeprefix("\ufeff" if number == 1 else "")
            continue
        content = raw.removeprefix(BOM) if number == 1 else raw
        try:
            line = content.decode("utf-8")
        except UnicodeDecodeError as error:
            raise not_utf8(content, error.start, offset + len(raw) - len(content), name, number) from None
        offset += len(raw)
        yield number, line.removesuffix("\n").removesuffix("\r")


def within_limit(file: Iterable[bytes] | Iterable[str], name: str | Path) -> Iterator[bytes | str]:
    """The lines with their ends. Never holds more of one than the limit."""
    most = current.get().line
    readline = getattr(file, "readline", None)
    if readline is None or most == float("inf"):
        yield from file
        return
    number, size = 0, int(most) + 1
    while line := readline(size):
        number += 1
        if len(line) == size:
            raise DataError(f"a line of more than {most / (1 << 20):g} MiB.\n  {MORE}", name, number)
        yield line


def not_utf8(content: bytes, at: int, offset: int, name: str | Path, line: int | None = None) -> DataError:
    """What to say of byte `at` of what was read from byte `offset` of a file on."""
    return DataError(
        f"byte {content[at]:#04x} at offset {offset + at} is not UTF-8.\n"
        "  Save the file as UTF-8, or name its encoding where the command has --encoding.",
        name,
        line,
    )


def whole_characters(text: str, what: str, path: str | Path, line: int | None = None) -> str:
    """The text, unless it holds a lone surrogate, which no UTF-8 can have: a DataError, in which `what` names it."""
    if found := SURROGATE.search(text):
        code = f"\\u{ord(found[0]):04x}"
        raise DataError(
            f"{what} holds {code}, half of a character (a lone surrogate), which cannot be written as UTF-8: "
            f"{shortened(text)}.\n  An emoji was cut there, or bytes were read in another encoding; remove or mend it.",
            path,
            line,
        )
    return text


def columns(line: str) -> list[str]:
    """What stands between blanks (spaces and tabs; other Unicode blanks are part of a token)."""
    return [field for field in line.replace("\t", " ").split(" ") if field]


def shortened(line: str, width: int = 60) -> str:
    """A line for a message: in quotes, its end left out when long."""
    return repr(line if len(line) <= width else line[: width - 3] + "...")


def listed(names: Sequence[str], most: int = 12) -> str:
    """Names for a message, as many as can be read."""
    shown = ", ".join(shortened(name, 30) for name in names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")
