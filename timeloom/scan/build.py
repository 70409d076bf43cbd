"""Text → loaded code: the flags of the compiler, and what names a kernel in the cache."""

from __future__ import annotations

import ctypes
import hashlib
import logging
import os
import platform
import time
from functools import cache
from pathlib import Path

import torch

from timeloom.core.files import reason
from timeloom.core.warn import warn_caller
from timeloom.scan.cache import cache_folder, find, keep
from timeloom.scan.toolchain import CannotBuild, compiled, compiler, compiler_version, named

FLAGS = ("-std=c++17", "-O3", "-ffp-contract=off", "-fno-math-errno", "-fPIC", "-shared", "-pthread", "-w")
HERE = Path(__file__).parent / "render"
LOADED_IN = os.getpid()
log = logging.getLogger(__name__)  # at INFO, when a compiler begins and ends: it takes seconds


def processor() -> str:
    """What the processor can do, as far as the code depends on it."""
    try:
        text = Path("/proc/cpuinfo").read_text()
        flags = next(line for line in text.splitlines() if line.startswith(("flags", "Features")))
    except (OSError, StopIteration):
        flags = platform.processor()
    return f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()} {flags.split(':')[-1].strip()}"


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
    name = hashlib.sha256("\0".join((text, *flags, version, processor())).encode()).hexdigest()[:32] + ".so"
    library = find(name)
    if library is None:
        content = compiled_and_told(text, tool, flags)
        try:
            library = keep(name, content, warn)
        except OSError as error:
            raise CannotBuild(f"there is no folder to load a kernel from ({reason(error)})") from error
    if library is None:
        raise CannotBuild(f"what {named(tool)} made cannot be loaded; wanted a C++ compiler, as g++ or clang++")
    return library


def instruction_set() -> str:
    """The flag for what the code may use: all that this processor has, or what $TIMELOOM_MARCH names."""
    chosen = os.environ.get("TIMELOOM_MARCH") or "native"
    return f"-march={chosen}" if platform.machine() in ("x86_64", "AMD64") else f"-mcpu={chosen}"


def compiled_and_told(text: str, tool: tuple[str, ...], flags: tuple[str, ...]) -> bytes:
    """What a compiler makes of the text, said to whoever listens when it begins and ends."""
    begin = time.perf_counter()
    log.info("compiling a kernel", extra={"compiling": 1, "folder": named_folder()})
    try:
        return compiled(text, tool, flags)
    finally:
        log.info("compiled in %.1f s", time.perf_counter() - begin, extra={"compiling": -1})


def named_folder() -> str:
    """Where kernels are kept, for a message."""
    try:
        return str(cache_folder())
    except OSError:
        return "a temporary folder"


@cache
def warn_if_narrow() -> None:
    if platform.machine() in ("x86_64", "AMD64") and "avx2" not in processor().split():
        warn_caller("this processor has no AVX2, so kernels take a fraction of the numbers at a time and are slower")


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
