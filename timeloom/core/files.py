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

from timeloom.core.errors import RunError, UsageError

AT_FDCWD, RENAME_EXCHANGE = -100, 2  # from <fcntl.h> and <linux/fs.h>


def write_whole(path: str | Path, *content: bytes | memoryview) -> None:
    """Replace the file at `path` by `content`, on the disk when this returns. A failure leaves the old file.

    What is there in several pieces is written one after the other.
    """
    path = Path(path)
    staged = path.with_name(f".{path.name}.part")
    try:
        with open(staged, "wb") as file:
            for piece in content:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        os.replace(staged, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            staged.unlink()
        raise RunError(f"cannot write {path}: {reason(error)}. What was there before is untouched.") from error
    sync(path.parent)


@contextlib.contextmanager
def folder_written_whole(path: str | Path) -> Iterator[Path]:
    """A fresh folder to fill, which takes the name `path` when the block ends and vanishes when it raises.

    A folder that had that name before is exchanged in one step where the system can (Linux), else by renames, and
    removed afterwards. A link is followed.
    """
    path = Path(path).resolve()
    staged = path.with_name(f".{path.name}.part")
    shutil.rmtree(staged, ignore_errors=True)
    make_folder(staged)
    try:
        yield staged
        for file in staged.rglob("*"):
            sync(file)
        sync(staged)
        if path.exists():
            exchange(staged, path)
        else:
            os.rename(staged, path)
    except OSError as error:
        raise RunError(f"cannot write {path}: {reason(error)}. What was there before is untouched.") from error
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    sync(path.parent)


def make_folder(path: Path) -> None:
    """Make a folder, and those it lies in, unless it is there."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"cannot make the folder {path}: {reason(error)}") from error


def empty_folder(path: Path, last: str) -> None:
    """Remove all that lies in a folder, the file `last` after everything else; what is hidden stays."""
    try:
        for inside in sorted(path.iterdir(), key=lambda inside: inside.name == last):
            if inside.name.startswith("."):
                continue
            if inside.is_dir() and not inside.is_symlink():
                shutil.rmtree(inside)
            else:
                inside.unlink()
    except OSError as error:
        raise RunError(f"cannot empty {path}: {reason(error)}") from error


def exchange(one: Path, other: Path) -> None:
    """Swap the names of two folders."""
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is not None:
        done = renameat2(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE)
        if done == 0:
            return
    aside = other.with_name(f".{other.name}.old")
    os.rename(other, aside)
    try:
        os.rename(one, other)
    except OSError:
        os.rename(aside, other)
        raise
    os.rename(aside, one)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold `folder` alone, among processes of this machine; UsageError where another has it. It must exist."""
    try:
        import fcntl
    except ImportError:  # not a POSIX system
        yield
        return
    with open(folder / ".lock", "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise UsageError(f"another run is at work in {folder}; wait for it, or give another --out") from error
        yield


def sync(path: Path) -> None:
    """Have the disk hold what the system has of a file, or of the names in a folder, as far as the system can say."""
    with contextlib.suppress(OSError):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def reason(error: OSError) -> str:
    """The system's word for what went wrong: `No space left on device`."""
    return error.strerror or str(error)
