"""The best path, by a native loop where one can be built."""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from timeloom.chain.fold import best_paths
from timeloom.core.warn import warn_caller
from timeloom.scan.build import CannotBuild, build, native_text, threads


def best_tags(emissions: Tensor, transitions: Tensor, start: Tensor, end: Tensor, lengths: Tensor) -> Tensor:
    """The tags of each sequence's best path (B, T), -1 after its end; arguments as for `fold`, transitions (K, K)."""
    found = library(emissions.dtype) if emissions.is_cpu and emissions.dtype in (torch.float32, torch.float64) else None
    if not isinstance(found, ctypes.CDLL):
        if found is not None:
            warn_once(found)
        return best_paths(1, emissions, transitions, start, end, lengths)[0][:, 0]
    given = [tensor.detach().contiguous() for tensor in (emissions, transitions, start, end, lengths)]
    path = lengths.new_full(emissions.shape[:2], -1)
    failed = found.best_path(
        ctypes.byref(threads()),
        ctypes.c_int(torch.get_num_threads()),
        *map(ctypes.c_long, emissions.shape),
        *(ctypes.c_void_p(tensor.data_ptr()) for tensor in (*given, path)),
    )
    if failed:
        raise MemoryError(f"not enough memory for the best paths of {tuple(emissions.shape)}")
    return path


@cache
def library(dtype: torch.dtype) -> ctypes.CDLL | str:
    """The native loop for a number type, built when first asked for; or why there is none."""
    try:
        return build(native_text(Path(__file__).with_name("best.cpp").read_text(encoding="utf-8"), dtype))
    except CannotBuild as error:
        return str(error)


@cache
def warn_once(reason: str) -> None:
    warn_caller(f"the best path is sought in torch, which is slower: {reason}")
