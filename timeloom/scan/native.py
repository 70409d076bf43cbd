"""What is compiled once for each number type and set of flags: products, and the tools that kernels reach there."""

from __future__ import annotations

import ctypes
import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import torch

from timeloom.scan.build import HERE, CannotBuild, build, native_text


def products(dtype: torch.dtype) -> Any:
    """The native products for a number type and the flags of now, built when first asked for."""
    given = os.environ.get
    return products_by_flags(dtype, given("TIMELOOM_MARCH"), given("TIMELOOM_CXXFLAGS"))


@cache
def products_by_flags(dtype: torch.dtype, instructions: str | None, flags: str | None) -> Any:
    library = build(products_text(dtype))
    library.tools_of_kernels.restype = ctypes.c_void_p
    return library


def products_text(dtype: torch.dtype) -> str:
    return native_text((HERE / "products.cpp").read_text(encoding="utf-8"), dtype)


def kernel_text(source: str, dtype: torch.dtype) -> str:
    return "#define SCAN_KERNEL\n" + native_text(source, dtype)


def load_kernel(source: str, dtype: torch.dtype) -> ctypes.CDLL:
    """A kernel from its text, with the tools it works with; what is not there yet of both is built side by side."""
    with ThreadPoolExecutor(1) as beside:
        beside.submit(build, products_text(dtype), warn=False)  # what is wrong with it, `products` says below
        library = build(kernel_text(source, dtype))
    if not library.use_tools(ctypes.c_void_p(products(dtype).tools_of_kernels())):
        raise CannotBuild("the flags of the compiler changed while a kernel was built; try again")
    return library
