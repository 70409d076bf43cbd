"""Files and folders that are written whole or not at all.

A reader, or a run that starts after a crash, sees the old content or the new, never a part: the bytes go to a
neighbour of the target first, reach the disk, and take the target's name in one step.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from timeloom.core.errors import RunError

AT_FDCWD, RENAME_EXCHANGE = -100, 2  # from <fcntl.h> and <linux/fs.h>


def write_whole(path: str | Path, content: bytes | memoryview) -> None:
    """Replace the file at `path` by `content`, on the disk when this returns. A failure leaves the old file."""
    path = Path(path)
    staged = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(staged, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(staged, path)
        sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            staged.unlink()
        raise RunError(f"cannot write {path}: {reason(error)}. What was there before is untouched.") from error


@contextlib.contextmanager
def folder_written_whole(path: str | Path) -> Iterator[Path]:
    """A fresh folder to fill, which takes the name `path` when the block ends and vanishes when it raises.

    A folder that had that name before is exchanged in one step where the system can (Linux), else by two renames,
    and removed afterwards.
    """
    path = Path(path)
    staged = path.with_name(f".{path.name}.{os.getpid()}.part")
    shutil.rmtree(staged, ignore_errors=True)
    make_folder(staged)
    try:
        yield staged
        for file in staged.rglob("*"):
            sync_folder(file)  # files and folders alike
        sync_folder(staged)
        if path.exists():
            exchange(staged, path)
        else:
            os.rename(staged, path)
        sync_folder(path.parent)
    except OSError as error:
        raise RunError(f"cannot write {path}: {reason(error)}. What was there before is untouched.") from error
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def make_folder(path: Path) -> None:
    """Make a folder, and those it lies in, unless it is there."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"cannot make the folder {path}: {reason(error)}") from error


def exchange(one: Path, other: Path) -> None:
    """Swap the names of two folders."""
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is not None:
        done = renameat2(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE)
        if done == 0:
            return
    aside = other.with_name(f".{other.name}.{os.getpid()}.old")
    os.rename(other, aside)
    os.rename(one, other)
    os.rename(aside, one)


def sync_folder(path: Path) -> None:
    """Have the disk hold what the system has of a file, or the names in a folder."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def reason(error: OSError) -> str:
    """The system's word for what went wrong: `No space left on device`."""
    return error.strerror or str(error)
