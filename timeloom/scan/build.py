"""Text → loaded code: a compiler, its flags, and a cache of what it made."""

from __future__ import annotations

import ctypes
import hashlib
import logging
import os
import platform
import shutil
import subprocess
import tempfile
import threading
import time
from functools import cache
from pathlib import Path

import torch

from timeloom.core.files import reason
from timeloom.core.warn import warn_caller

FLAGS = ("-std=c++17", "-O3", "-ffp-contract=off", "-fno-math-errno", "-fPIC", "-shared", "-pthread", "-w")
SEAL = b"timeloom"
HERE = Path(__file__).parent / "render"
LOADED_IN = os.getpid()
log = logging.getLogger(__name__)  # at INFO, when a compiler begins and ends: it takes seconds


class CannotBuild(Exception):
    """No compiler, or one that fails; the message says which and why."""


@cache
def compiler() -> str | None:
    """The first of $CXX, c++, g++ and clang++ that is there."""
    chosen = os.environ.get("CXX")
    if chosen and not shutil.which(chosen):
        warn_caller(f"$CXX names {chosen}, which is not there; another compiler is taken if there is one")
    for name in (os.environ.get("CXX"), "c++", "g++", "clang++"):
        if name and shutil.which(name):
            return shutil.which(name)
    return None


def processor() -> str:
    """What the processor can do, as far as the code depends on it."""
    try:
        text = Path("/proc/cpuinfo").read_text()
        flags = next(line for line in text.splitlines() if line.startswith(("flags", "Features")))
    except (OSError, StopIteration):
        flags = platform.processor()
    return f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()} {flags.split(':')[-1].strip()}"


def cache_folder() -> Path:
    """Where built kernels are kept: $TIMELOOM_CACHE, or timeloom/kernels in the user's cache folder."""
    chosen = os.environ.get("TIMELOOM_CACHE")
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "timeloom" / "kernels"
    return Path(chosen) if chosen else base


def build(text: str, warn: bool = True) -> ctypes.CDLL:
    """The text as a loaded library, from the cache where it is there. Raises CannotBuild.

    $CXX names a compiler, $TIMELOOM_MARCH an instruction set in the place of this processor's (x86-64-v3 for AVX2,
    x86-64 for SSE2), $TIMELOOM_CXXFLAGS flags to add, such as -fsanitize=address.
    """
    tool = compiler()
    if tool is None:
        raise CannotBuild("no C++ compiler is installed (c++, g++ or clang++)")
    if warn:
        warn_if_narrow()
    version = compiler_version(tool)
    flags = (*FLAGS, instruction_set(), *os.environ.get("TIMELOOM_CXXFLAGS", "").split())
    key = hashlib.sha256("\0".join((text, *flags, version, processor())).encode()).hexdigest()[:32]
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return loaded_from(folder / f"{key}.so", text, tool, flags)
    except OSError as error:
        if warn:
            warn_caller(
                f"kernels cannot be kept in {folder} ({reason(error)}), so each process builds its own; "
                "name another folder by $TIMELOOM_CACHE"
            )
    try:
        return loaded_from(Path(own_folder().name) / f"{key}.so", text, tool, flags)
    except OSError as error:
        raise CannotBuild(f"there is no folder to build a kernel in ({reason(error)})") from error


def instruction_set() -> str:
    """The flag for what the code may use: all that this processor has, or what $TIMELOOM_MARCH names."""
    chosen = os.environ.get("TIMELOOM_MARCH") or "native"
    return f"-march={chosen}" if platform.machine() in ("x86_64", "AMD64") else f"-mcpu={chosen}"


@cache
def own_folder() -> tempfile.TemporaryDirectory[str]:
    """A folder that goes when the process ends."""
    return tempfile.TemporaryDirectory(prefix="timeloom-")


def loaded_from(path: Path, text: str, tool: str, flags: tuple[str, ...]) -> ctypes.CDLL:
    """The library at `path`, built there if need be."""
    library = load_verified(path)
    if library is None:
        compile_into(path, text, tool, flags)
        library = load_verified(path)
    if library is None:
        raise CannotBuild(f"what {tool} made at {path} cannot be loaded; wanted a C++ compiler, as g++ or clang++")
    return library


def compile_into(path: Path, text: str, tool: str, flags: tuple[str, ...]) -> None:
    """Compile to a neighbour of `path`, put the sum of its bytes behind them, and give it that name in one step."""
    own = f".{path.stem}.{os.getpid()}.{threading.get_ident()}"
    source, made = path.with_name(f"{own}.cpp"), path.with_name(f"{own}.so")
    begin = time.perf_counter()
    log.info("compiling a kernel into %s", path.parent, extra={"compiling": 1, "folder": path.parent})
    try:
        source.write_text(text, encoding="utf-8")
        done = subprocess.run([tool, *flags, str(source), "-o", str(made)], capture_output=True, text=True)
        if done.returncode:
            chosen = ", which $CXX names," if os.environ.get("CXX") else ""
            said = done.stderr.strip()[:2000] or f"it ended with {done.returncode} and said nothing"
            raise CannotBuild(f"{tool}{chosen} failed:\n{said}")
        with made.open("ab") as file:  # a loader does not look behind the end
            file.write(SEAL + hashlib.sha256(made.read_bytes()).digest())
        os.replace(made, path)
    finally:
        source.unlink(missing_ok=True)
        made.unlink(missing_ok=True)
        log.info("compiled in %.1f s", time.perf_counter() - begin, extra={"compiling": -1})


def load_verified(path: Path) -> ctypes.CDLL | None:
    """The library at `path`, if it is there, ours and whole."""
    try:
        if os.name == "posix" and path.stat().st_uid != os.getuid():
            return None
        content = path.read_bytes()
        body, seal = content[: -len(SEAL) - 32], content[-len(SEAL) - 32 :]
        return ctypes.CDLL(str(path)) if seal == SEAL + hashlib.sha256(body).digest() else None
    except OSError:
        return None


@cache
def warn_if_narrow() -> None:
    if platform.machine() in ("x86_64", "AMD64") and "avx2" not in processor().split():
        warn_caller("this processor has no AVX2, so kernels take a fraction of the numbers at a time and are slower")


@cache
def compiler_version(tool: str) -> str:
    return subprocess.run([tool, "--version"], capture_output=True, text=True).stdout.splitlines()[0]


class Pool(ctypes.Structure):
    """The `pool` of scan.h."""

    _fields_ = [("parallel", ctypes.c_void_p), ("number", ctypes.c_void_p), ("size", ctypes.c_void_p)]


def native_text(text: str, dtype: torch.dtype) -> str:
    """The text with the project's own headers in it, for one number type: all that a compiler needs."""
    real = {torch.float32: "float", torch.float64: "double"}[dtype]
    for name in ("loop.h", "scan.h"):
        header = (HERE / name).read_text(encoding="utf-8").replace("#pragma once\n", "")
        text = text.replace(f'#include "{name}"\n', header, 1)
    return f"#define REAL {real}\n{text}"


def threads() -> Pool:
    """The threads a kernel may run on: torch's own, or after a fork, which does not copy them, new ones each time."""
    return torchs_pool() if os.getpid() == LOADED_IN else Pool(None, None, None)


@cache
def torchs_pool() -> Pool:
    """The OpenMP threads that torch itself runs on, so that two pools need not fight for the cores."""
    folder = Path(torch.__file__).parent
    for path in sorted([*folder.glob("lib/libgomp*"), *folder.parent.glob("torch.libs/libgomp*")]):
        library = ctypes.CDLL(str(path))
        names = ("GOMP_parallel", "omp_get_thread_num", "omp_get_num_threads")
        return Pool(*(ctypes.cast(getattr(library, name), ctypes.c_void_p).value for name in names))
    return Pool(None, None, None)
