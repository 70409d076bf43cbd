"""Kernels built before they are first called: those of several cells side by side."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from timeloom.scan import choose
from timeloom.scan.build import CannotBuild, build
from timeloom.scan.cell import Cell
from timeloom.scan.fused import Fused
from timeloom.scan.native import kernel_text, products, products_text


def build_ahead(cells: Iterable[Cell]) -> None:
    """Build the kernels of these cells at once, each for the number type of its parameters.

    A cell that has none, or whose kernel no compiler can build, is left to its first call, which says why.
    """
    if choose.must_be_plain():
        return
    found: dict[int, Fused] = {}
    with ThreadPoolExecutor() as beside:
        for cell in cells:
            like = cell._first_floating_parameter()
            if like is None or like.dtype not in choose.FUSED_TYPES or not like.is_cpu:
                continue
            with choose._making:
                fused = choose.fused_or_reason(cell, like.dtype)
            if isinstance(fused, Fused) and id(fused) not in found:
                if not found:
                    beside.submit(build, products_text(like.dtype), warn=False)
                found[id(fused)] = fused
                beside.submit(build, kernel_text(fused.source, fused.dtype), warn=False)
    for fused in found.values():  # now in the cache; what went wrong is said here, in the caller's thread
        try:
            _ = products(fused.dtype), fused.library
        except CannotBuild:
            return
