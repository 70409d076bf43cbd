"""Parts of a graph run over all steps at once, by torch: what the plan lifted out of the loop.

The graph was traced on a small batch; here it runs on T · B rows. All of it is row by row, but for sums over the batch,
which become sums over batch and time: the gradients of the parameters.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, fx

from timeloom.scan import ops
from timeloom.scan.build import threads
from timeloom.scan.native import products
from timeloom.scan.ops import aten

MUCH = 4 << 20  # bytes
NATIVE = (torch.float32, torch.float64)


def run_nodes(
    nodes: Iterable[fx.Node], values: dict[fx.Node, Any], traced_rows: int, rows: int, once: bool = False
) -> None:
    """Compute `nodes` into `values`, which has their inputs. `once`: a single step, not worth packing weights for."""

    for node in nodes:
        if node in values:
            continue
        args = [actual(arg, values, traced_rows, rows) for arg in node.args]
        if node.target is aten.mm.default and args[0].dtype in NATIVE:
            values[node] = multiply(args[0], args[1], once)
            continue
        if node.target in ops.RESHAPES:
            args = [sized(arg, traced_rows, rows) for arg in args]
        if node.target is aten.view.default:
            values[node] = args[0].reshape(args[1])  # the tracer saw another layout
            continue
        values[node] = node.target(*args, **node.kwargs)  # type: ignore[operator]


# Not closures of run_nodes: one that calls itself is a circle, and would keep every value until the garbage collector
# comes by.
def actual(arg: Any, values: dict[fx.Node, Any], traced_rows: int, rows: int) -> Any:
    if isinstance(arg, fx.Node):
        return values[arg] if arg in values else constant(arg, traced_rows, rows)
    if isinstance(arg, list | tuple):
        return type(arg)(actual(part, values, traced_rows, rows) for part in arg)
    return arg


def sized(arg: Any, traced_rows: int, rows: int) -> Any:
    """A list of sizes that begins with the traced batch begins with ours."""
    if isinstance(arg, list | tuple) and arg and all(isinstance(n, int) for n in arg) and arg[0] == traced_rows:
        return [rows, *arg[1:]]
    return arg


def constant(node: fx.Node, traced_rows: int, rows: int) -> Tensor:
    args = list(node.args)
    if args and isinstance(args[0], list | tuple) and args[0] and args[0][0] == traced_rows:
        args[0] = [rows, *args[0][1:]]
    return node.target(*args, **node.kwargs)  # type: ignore[operator]


def empty(sizes: tuple[int, int], like: Tensor) -> Tensor:
    """Fresh memory, in huge pages where it is much."""
    out = like.new_empty(sizes)
    if out.nbytes >= MUCH:
        products(like.dtype).prefer_huge_pages(ctypes.c_void_p(out.data_ptr()), ctypes.c_long(out.nbytes))
    return out


def multiply(left: Tensor, right: Tensor, once: bool = False) -> Tensor:
    """left (M, K) · right (K, N), both of any strides, by the same block product as the loops'."""
    left = left.contiguous() if once else left
    M, K = left.shape
    N = right.shape[1]
    out = empty((M, N), left)
    if 0 in (M, K, N):
        return out.zero_()
    native = products(left.dtype)
    failed = (native.few_rows if once else native.products)(
        ctypes.byref(threads()),
        ctypes.c_int(torch.get_num_threads()),
        *map(ctypes.c_long, (M, N, K)),
        ctypes.c_void_p(left.data_ptr()),
        *map(ctypes.c_long, left.stride()),
        ctypes.c_void_p(right.data_ptr()),
        *map(ctypes.c_long, right.stride()),
        ctypes.c_void_p(out.data_ptr()),
    )
    if failed:
        raise MemoryError(f"not enough memory for the product of ({M}, {K}) and ({K}, {N})")
    return out
