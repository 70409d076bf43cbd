"""What a kernel can do: the operations a step may be made of, and the refusal of others."""

from __future__ import annotations

from torch import fx

from timeloom.scan import ops
from timeloom.scan.ops import shape


class NotFusable(Exception):
    """The step has an operation that the kernel cannot do; the message names it, `node` is it."""

    def __init__(self, message: str, node: fx.Node):
        super().__init__(message)
        self.node = node


def check(node: fx.Node) -> None:
    known = (
        node.target in ops.ELEMENTWISE
        or node.target in ops.COMPARISONS
        or node.target in ops.PRODUCTS
        or node.target in ops.ROW_SUMS
        or node.target in ops.CONSTANTS
        or node.target in ops.RESHAPES
        or node.target in ops.SLICES
        or node.target in ops.PIECES
        or node.target in ops.SPLITS
    )
    reason = None
    if not known:
        reason = f"{node.target} is none of the operations that a kernel can do"
    elif len(shape(node)) > 2:
        reason = f"{node.target} makes a value with more than two axes"
    elif node.target in ops.SPLITS and argument(node, 2, 0) not in (1, -1):
        reason = f"{node.target} splits the batch"
    elif node.target is ops.aten.slice.Tensor and (argument(node, 1, 0) not in (1, -1) or argument(node, 4, 1) != 1):
        reason = f"{node.target} takes every n-th column, or takes from the batch"
    elif node.target is ops.aten.cat.default and argument(node, 1, 0) not in (1, -1):
        reason = f"{node.target} joins along the batch"
    elif node.target is ops.aten.constant_pad_nd.default and argument(node, 2, 0) != 0:
        reason = f"{node.target} pads with another number than 0"
    elif node.target is ops.aten.slice_scatter.default and argument(node, 5, 1) != 1:
        reason = f"{node.target} writes every n-th column"
    elif node.target in ops.RESHAPES and not keeps_columns(node):
        reason = f"{node.target} moves columns about"
    if reason:
        raise NotFusable(reason, node)


def argument(node: fx.Node, position: int, default: int) -> object:
    return node.args[position] if len(node.args) > position else default


def keeps_columns(node: fx.Node) -> bool:
    source = width_of(node.all_input_nodes[0])
    return source == width_of(node) or (source == 1 and node.target is ops.aten.expand.default)


def width_of(node: fx.Node) -> int:
    """Columns of a value with rows: (rows, w) → w, (rows,) → 1."""
    sizes = shape(node)
    return sizes[1] if len(sizes) > 1 else 1
