"""The lines of a text file, or of a stream, with their numbers: the ground under every reader."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from timeloom.core import DataError
from timeloom.core.files import reason

BOM = b"\xef\xbb\xbf"
SURROGATE = re.compile("[\ud800-\udfff]")

Lines = Iterable[tuple[int, str]]
"""Numbers from 1, and lines without their ends."""


def numbered_lines(source: str | Path | IO[str] | IO[bytes]) -> Iterator[tuple[int, str]]:
    """Lines of a UTF-8 file (through gzip when its name ends in .gz) or of an open stream, read as they come.

    A line ends with LF or CRLF and with nothing else; a byte-order mark at the start is no part of the first. What
    cannot be opened or read is a DataError that names the file, and for bytes that are not UTF-8 the line and offset.
    """
    if isinstance(source, str | Path):
        yield from lines_of_file(Path(source))
    else:
        # Text streams over bytes (stdin) are read as bytes: what they hold is UTF-8, whatever the locale says.
        yield from decoded(getattr(source, "buffer", source), str(getattr(source, "name", "<stream>")))


def lines_of_file(path: Path) -> Iterator[tuple[int, str]]:
    with opened(path) as file:
        yield from decoded(file, path)


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """A file open for reading, through gzip when its name ends in .gz. What fails inside is a DataError."""
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else open(path, "rb") as file:
            yield file  # pyright: ignore[reportReturnType]
    except FileNotFoundError:
        raise DataError("there is no such file.\n  Check the path.", path) from None
    except IsADirectoryError:
        raise DataError("this is a folder, a file was wanted.\n  Name a file inside it.", path) from None
    except PermissionError:
        raise DataError("this file may not be read.\n  Check its permissions.", path) from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(
            f"not a whole gzip file ({error}), as .gz promises.\n  Fetch or pack it again.", path
        ) from error
    except OSError as error:
        raise DataError(f"cannot read the file: {reason(error)}", path) from error


def decoded(file: Iterable[bytes] | Iterable[str], name: str | Path) -> Iterator[tuple[int, str]]:
    offset = 0  # in bytes, of the line's start
    for number, raw in enumerate(file, start=1):
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


def not_utf8(content: bytes, at: int, offset: int, name: str | Path, line: int | None = None) -> DataError:
    """What to say of byte `at` of what was read from byte `offset` of a file on."""
    return DataError(
        f"byte {content[at]:#04x} at offset {offset + at} is not UTF-8.\n  Save the file as UTF-8.", name, line
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
