"""Whether two traces of a step, of batches of two sizes, are the same but for that size."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count, zip_longest
from typing import Any

from torch import Tensor, fx
from torch.fx.node import map_aggregate

from timeloom.scan import ops
from timeloom.scan.allowed import NotFusable
from timeloom.scan.ops import shape

aten = ops.aten
SIZED = {
    *ops.CONSTANTS,
    *ops.RESHAPES,
    *(aten.new_zeros.default, aten.new_ones.default, aten.new_full.default, aten.new_empty.default),
    *(aten.empty.memory_format, aten.empty_permuted.default),
}


def unusual_size(taken: Iterable[float]) -> int:
    """A batch size that stands nowhere among the numbers that are taken."""
    taken = set(taken)
    return next(size for size in count(23, 2) if size not in taken)


def numbers_in(graph: fx.Graph) -> set[float]:
    """Every size and every number in a graph, and the negatives of these."""
    found: set[float] = set()

    def note(arg: Any) -> Any:
        if type(arg) in (int, float):
            found.update((arg, -arg))
        return arg

    for node in graph.nodes:
        map_aggregate((node.args, node.kwargs), note)
        value = node.meta.get("val")
        for part in value if isinstance(value, list | tuple) else [value]:
            found.update(part.shape if isinstance(part, Tensor) else ())
    return found


def check_equal(one: fx.Graph, rows: int, other: fx.Graph, other_rows: int) -> None:
    """Raise NotFusable unless two graphs of the same step are equal but for the size of the batch.

    That size may be the first one of a shape, in an operation that takes a shape, and nothing else.
    """
    names: dict[fx.Node, fx.Node] = {}
    for mine, theirs in zip_longest(one.nodes, other.nodes):
        if mine is None or theirs is None or mine.target != theirs.target or mine.op != theirs.op:
            raise NotFusable(
                f"its step does other things for {rows} sequences than for {other_rows}, or from call to call",
                next(node for node in (mine, theirs) if node is not None),
            )
        names[theirs] = mine
        pairs = [*zip_longest(mine.args, theirs.args), *((mine.kwargs.get(k), v) for k, v in theirs.kwargs.items())]
        for left, right in pairs:
            if not alike(left, right, names, (rows, other_rows) if mine.target in SIZED else None):
                raise NotFusable(
                    "its step computes with the size of the batch, or with a number that changes from call to call "
                    f"({mine.target}: {brief(left)} for {rows} sequences, {brief(right)} for {other_rows})",
                    mine,
                )
        if shape(mine) != shape(theirs) and not alike(
            list(shape(mine)), list(shape(theirs)), names, (rows, other_rows), True
        ):
            raise NotFusable(f"{mine.target} makes an axis of a size that follows from that of the batch", mine)


def alike(
    mine: Any, theirs: Any, names: dict[fx.Node, fx.Node], sizes: tuple[int, int] | None, any_axis: bool = False
) -> bool:
    """Whether two arguments say the same; `sizes` may stand for each other as the first of a list."""
    if isinstance(mine, fx.Node):
        return isinstance(theirs, fx.Node) and names.get(theirs) is mine
    if isinstance(mine, list | tuple):
        if not isinstance(theirs, list | tuple) or len(mine) != len(theirs):
            return False
        return all(
            (sizes is not None and (any_axis or not i) and (left, right) == sizes) or alike(left, right, names, None)
            for i, (left, right) in enumerate(zip(mine, theirs, strict=True))
        )
    if isinstance(mine, slice):
        return isinstance(theirs, slice) and (mine.start, mine.stop, mine.step) == (
            theirs.start,
            theirs.stop,
            theirs.step,
        )
    same_kind = type(mine) is type(theirs)
    return same_kind and (mine == theirs or (mine != mine and theirs != theirs))


def brief(arg: object) -> str:
    text = f"{arg:.6g}" if isinstance(arg, float) else str(arg)
    return text if len(text) < 40 else f"{text[:37]}..."
