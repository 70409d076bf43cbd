"""Where built kernels are kept. Code is loaded from nowhere that anybody else may write to.

A folder is opened once, looked at through that descriptor, and everything after goes through it; a library is opened
once, its sum checked, and loaded by its descriptor, so that no name can come to mean something else in between.
"""

from __future__ import annotations

import ctypes
import hashlib
import itertools
import os
import secrets
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from timeloom.core.files import reason
from timeloom.core.warn import warn_caller

SEAL = b"timeloom"
OTHERS = stat.S_IWGRP | stat.S_IWOTH
POSIX = os.name == "posix"
LOADED = itertools.count()


class Unfit(OSError):
    """A folder, or the system's answer about it, that no kernel can be kept in; the message says why."""


def cache_folder() -> Path:
    """$TIMELOOM_CACHE, or timeloom/kernels in the user's cache folder. Raises Unfit where there is no such folder."""
    chosen, base = os.environ.get("TIMELOOM_CACHE"), os.environ.get("XDG_CACHE_HOME", "")
    if chosen:
        return Path(chosen)
    if not os.path.isabs(base):  # a relative one does not count, says the XDG standard
        try:
            base = Path.home() / ".cache"
        except RuntimeError as error:
            raise Unfit("$HOME is not set and the user has no home folder") from error
    return Path(base) / "timeloom" / "kernels"


@cache
def own_folder() -> tempfile.TemporaryDirectory[str]:
    """A private folder that goes when the process ends."""
    return tempfile.TemporaryDirectory(prefix="timeloom-", ignore_cleanup_errors=True)


def find(name: str) -> ctypes.CDLL | None:
    """The library that was kept under `name`, if it is there, ours and whole."""
    own = own_folder.cache_info().currsize  # something could not be kept before
    for where in (cache_folder, *([lambda: Path(own_folder().name)] if own else [])):
        with suppress(OSError), opened_folder(where()) as place:  # why not is said by `keep`, which comes next
            if (library := load(place, name)) is not None:
                return library
    return None


def keep(name: str, content: bytes, warn: bool = True) -> ctypes.CDLL | None:
    """Put a library into the cache under `name`, and load it; into a private folder where that cannot be, with a
    warning. None where the content is no library. Raises OSError where there is no place at all."""
    try:
        return kept_in(cache_folder(), name, content)
    except OSError as error:
        if warn:
            warn_not_kept(reason(error))
    return kept_in(Path(own_folder().name), name, content)


@cache
def warn_not_kept(why: str) -> None:
    warn_caller(
        f"kernels cannot be kept ({why}), so each process builds its own, which takes seconds; "
        "name another folder by $TIMELOOM_CACHE"
    )


def kept_in(folder: Path, name: str, content: bytes) -> ctypes.CDLL | None:
    try:
        make_private(folder)
        with opened_folder(folder) as place:
            place.refuse_noexec()
            place.write(name, content + SEAL + hashlib.sha256(content).digest())
            return load(place, name)
    except Unfit:
        raise
    except OSError as error:
        raise Unfit(f"{folder}: {reason(error)}") from error


def make_private(folder: Path) -> None:
    """Make a folder and those it lies in, for nobody but us, whatever the umask is."""
    if not folder.is_dir():
        if folder.parent != folder:
            make_private(folder.parent)
        try:
            os.mkdir(folder, 0o700)
        except FileExistsError:
            if not folder.is_dir():
                raise Unfit(f"{folder} is no folder") from None


class Place:
    """A folder held open by a descriptor; where the system has none for folders (Windows), by its path."""

    def __init__(self, path: Path, descriptor: int | None):
        self.path, self.descriptor = path, descriptor

    def refuse_noexec(self) -> None:
        noexec = getattr(os, "ST_NOEXEC", 0)
        if self.descriptor is not None and noexec and os.fstatvfs(self.descriptor).f_flag & noexec:
            raise Unfit(f"{self.path} lies on a file system that is mounted noexec")

    def open(self, name: str, flags: int) -> int:
        flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
        if self.descriptor is None:
            return os.open(self.path / name, flags, 0o600)
        return os.open(name, flags, 0o600, dir_fd=self.descriptor)

    def write(self, name: str, content: bytes) -> None:
        """A new file that takes its name in one step."""
        staged = f".{name}.{secrets.token_hex(8)}"
        whole = {} if self.descriptor is None else {"src_dir_fd": self.descriptor, "dst_dir_fd": self.descriptor}
        at = (lambda part: part) if whole else (lambda part: self.path / part)
        try:
            with os.fdopen(self.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb") as file:
                file.write(content)
            os.replace(at(staged), at(name), **whole)
        except OSError:
            with suppress(OSError):
                os.unlink(at(staged), **({"dir_fd": self.descriptor} if whole else {}))
            raise


@contextmanager
def opened_folder(folder: Path) -> Iterator[Place]:
    """The folder, held open. Raises Unfit where it is not ours, or where others may write to it."""
    if not POSIX:
        yield Place(folder, None)
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if fault := fault_of(os.fstat(descriptor)):
            raise Unfit(f"{folder} {fault}, and what lies there would be run")
        yield Place(folder, descriptor)
    finally:
        os.close(descriptor)


def fault_of(status: os.stat_result) -> str | None:
    """Why what lies there cannot be trusted to be ours."""
    if status.st_uid != os.getuid():
        return "belongs to another user"
    return "may be written to by other users" if status.st_mode & OTHERS else None


def load(place: Place, name: str) -> ctypes.CDLL | None:
    """The library under `name`, if it is there, ours and whole. Raises Unfit where the system will not run it."""
    try:
        descriptor = place.open(name, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or (POSIX and fault_of(status)):
            return None
        content = file.read()
        body, seal = content[: -len(SEAL) - 32], content[-len(SEAL) - 32 :]
        if seal != SEAL + hashlib.sha256(body).digest():
            return None
        place.refuse_noexec()
        try:
            return ctypes.CDLL(path_of(place, name, descriptor))
        except OSError:
            return None


def path_of(place: Place, name: str, descriptor: int) -> str:
    """A path of the open file for the loader. It knows what it has loaded by the path's text, and numbers of
    descriptors come again, so each path is spelt in its own way: a count in slashes and dots."""
    if os.path.exists(f"/proc/self/fd/{descriptor}"):
        digits = "".join("//." if digit == "1" else "/." for digit in f"{next(LOADED):b}")
        return f"/proc/self/fd{digits}/{descriptor}"
    refuse_open_parents(place.path.resolve())
    return str(place.path.resolve() / name)


def refuse_open_parents(folder: Path) -> None:
    """Without a path by descriptor names are looked up again, so nobody else may move a folder on the way."""
    for parent in folder.parents if POSIX else ():
        status = parent.stat()
        if status.st_uid not in (0, os.getuid()) or (status.st_mode & OTHERS and not status.st_mode & stat.S_ISVTX):
            raise Unfit(f"{folder} lies in {parent}, which other users may write to")
