"""Files as streams of UTF-8, whatever they are packed in and encoded by, and never more of them than the limits say."""

from __future__ import annotations

import codecs
import contextlib
import gzip
import io
import os
import stat
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from timeloom.core import DataError, UsageError
from timeloom.core.files import reason
from timeloom.data.limits import MORE, current

AT_ONCE = 1 << 16  # bytes
MARKS = {b"\xff\xfe\0\0": "utf-32", b"\0\0\xfe\xff": "utf-32", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


@contextmanager
def opened(path: Path, encoding: str | None = None) -> Iterator[IO[bytes]]:
    """A text file as bytes of UTF-8, through gzip when its name ends in .gz. What fails inside is a DataError.

    Lines that end in CR alone end in LF here. Without an `encoding` it is UTF-8, or UTF-16 or UTF-32 where it begins
    with the mark of these.
    """
    codec = codec_of(encoding)
    try:
        with found(path) as file:
            packed = os.fstat(file.fileno())
            raw: IO[bytes] = gzip.GzipFile(fileobj=file) if path.suffix == ".gz" else file  # pyright: ignore[reportAssignmentType]
            if path.suffix == ".gz" or not stat.S_ISREG(packed.st_mode):
                raw = buffered(Counted(raw, path, packed))
            begin = raw.peek(4)[:4]  # type: ignore[attr-defined]
            if codec is None:
                codec = next((name for mark, name in MARKS.items() if begin.startswith(mark)), None)
            if codec is not None:
                raw = buffered(Recoded(raw, codec, path))
            yield buffered(OldEnds(raw)) if has_old_ends(raw) else raw
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


def codec_of(encoding: str | None) -> str | None:
    """The codec of an encoding that is not UTF-8; None for UTF-8, or to look at the file. Raises UsageError."""
    if encoding is None:
        return None
    try:
        found = codecs.lookup(encoding)
        if not getattr(found, "_is_text_encoding", True):
            raise LookupError
    except (LookupError, ValueError):
        raise UsageError(
            f"encoding is {encoding!r}, which is no encoding of text that Python knows; wanted one like utf-8, cp1252, "
            "latin-1 or utf-16"
        ) from None
    return None if found.name in ("utf-8", "utf-8-sig") else found.name


@contextmanager
def found(path: Path) -> Iterator[IO[bytes]]:
    """The file itself; of a pipe that nobody writes to, a DataError after a while."""
    if not stat.S_ISFIFO(path.stat().st_mode):
        with open(path, "rb", AT_ONCE) as file:
            yield file
        return
    wait, opened_pipe = current.get().wait, []

    def open_pipe() -> None:
        with contextlib.suppress(OSError):
            opened_pipe.append(open(path, "rb", AT_ONCE))  # noqa: SIM115 (the other thread closes it)

    waiting = threading.Thread(target=open_pipe, daemon=True)
    waiting.start()
    waiting.join(None if wait == float("inf") else wait)
    if waiting.is_alive():
        with contextlib.suppress(OSError):
            os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))  # the thread's end
        waiting.join(1)
        for file in opened_pipe:
            file.close()
        raise DataError(
            f"is a pipe, and nobody has written to it for {wait:g} s.\n  Start what writes first. {MORE}", path
        )
    if not opened_pipe:
        raise DataError("is a pipe that cannot be read", path)
    with opened_pipe[0] as file:
        yield file


def buffered(raw: Any) -> IO[bytes]:
    return io.BufferedReader(raw, AT_ONCE)


class Counted(io.RawIOBase):
    """Bytes of a packed file, or of what has no size, up to the limit."""

    def __init__(self, source: IO[bytes], path: Path, status: os.stat_result):
        limits, self.source, self.path, self.read_so_far = current.get(), source, path, 0
        self.regular = stat.S_ISREG(status.st_mode)
        self.most = limits.unpacked(status.st_size) if self.regular else limits.stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        content = self.source.read1(len(buffer))  # type: ignore[attr-defined]
        self.read_so_far += len(content)
        if self.read_so_far > self.most:
            what = "unpacks to" if self.regular else "is no regular file, and has"
            raise DataError(f"{what} more than {self.most / (1 << 20):.0f} MiB.\n  {MORE}", self.path)
        buffer[: len(content)] = content
        return len(content)


class Recoded(io.RawIOBase):
    """The text of another encoding, as UTF-8."""

    def __init__(self, source: IO[bytes], codec: str, path: Path):
        self.source, self.codec, self.path, self.offset = source, codec, path, 0
        self.decoder, self.ready = codecs.getincrementaldecoder(codec)(), b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        ended = False
        while not self.ready and not ended:
            content = self.source.read1(AT_ONCE // 4)  # type: ignore[attr-defined]
            ended = not content
            try:
                self.ready = self.decoder.decode(content, ended).encode("utf-8")
            except UnicodeError as error:
                raise DataError(
                    f"is not {self.codec} ({getattr(error, 'reason', error)}, behind byte {self.offset}).\n"
                    "  Name the encoding that it is saved in, or save it as UTF-8.",
                    self.path,
                ) from None
            self.offset += len(content)
        count = min(len(buffer), len(self.ready))
        buffer[:count], self.ready = self.ready[:count], self.ready[count:]
        return count


class OldEnds(io.RawIOBase):
    """Lines that end in CR, with LF in its place."""

    def __init__(self, source: IO[bytes]):
        self.source = source

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        content = self.source.read1(len(buffer)).replace(b"\r", b"\n")  # type: ignore[attr-defined]
        buffer[: len(content)] = content
        return len(content)


def has_old_ends(file: IO[bytes]) -> bool:
    """Whether lines end in CR alone, by the beginning of a file."""
    begin = file.peek(AT_ONCE)  # type: ignore[attr-defined]
    return b"\r" in begin[:-1] and b"\n" not in begin
