"""The nodes of a loop in the order a kernel runs them: sweeps over a row, and products between the sweeps.

A sweep computes everything element-wise that can be known at its turn, and adds up sums over the row on its way. What a
sweep has written to memory, a product may multiply; what the product gave, the next sweep may read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import gcd
from typing import Literal

import torch
from torch import fx

from timeloom.scan import ops
from timeloom.scan.allowed import NotFusable, check, width_of
from timeloom.scan.ops import shape
from timeloom.scan.plan import is_list

MOST_PIECES = 16  # of one row in a sweep: each is text of its own, and compilers take their time


@dataclass(frozen=True)
class Place:
    """Where a value lies.

    In an array with a row for each step of each sequence; in an array of states, `before` the step or `after` it; in
    `scratch`, with a row for each sequence; `staged`, in scratch with a row for each step of a block and each sequence;
    in a state's gradient, `carried` here or to the `next` step; or in a thread's `total`, to which each row is added.
    """

    name: str
    width: int
    kind: Literal["array", "before", "after", "scratch", "staged", "carried", "next", "total"] = "array"
    offset: int = 0


@dataclass
class Sweep:
    """One pass over each row: what it stores, by width, and the sums over the row it gathers."""

    stage: int
    stores: list[tuple[Place, fx.Node]] = field(default_factory=list)
    sums: list[fx.Node] = field(default_factory=list)


@dataclass(frozen=True)
class Product:
    """out (rows, N) = left (rows, K) · right (K, N); `left` begins `left_offset` columns into its place."""

    out: Place
    left: Place
    right: fx.Node
    K: int
    N: int


@dataclass
class Schedule:
    stages: list[Sweep | Product]
    memory: dict[fx.Node, Place]  # where each value can be read that lies in memory
    scratch: list[Place]
    inside: set[fx.Node]  # nodes that sweeps compute where they need them
    stage: dict[fx.Node, int]  # the sweep that computes each node; the first that can read it, for products and sums
    apart: set[fx.Node]  # put together in memory, by an earlier sweep than the first that can read them


def schedule(
    nodes: list[fx.Node],
    memory: dict[fx.Node, Place],
    outputs: list[tuple[fx.Node, Place]],
    totals: Sequence[tuple[fx.Node, Place]] = (),
) -> Schedule:
    """Order `nodes`, which read what is in `memory` and parameters: `outputs` get written, `totals` gathered.

    Raises NotFusable for an operation that is none of those in `timeloom.scan.ops`.
    """
    inside = set(nodes)
    memory = dict(memory)
    apart = {node for node in nodes if node.target in ops.PIECES and in_small_pieces(node)}
    stage: dict[fx.Node, int] = {}
    for node in nodes:
        check(node)
        ready = max((stage[arg] for arg in node.all_input_nodes if arg in inside), default=0)
        stage[node] = ready + (node.target in ops.PRODUCTS or node.target in ops.ROW_SUMS or node in apart)
    sweeps = {number: Sweep(number) for number in range(max(stage.values(), default=0) + 1)}
    products: dict[int, list[Product]] = {number: [] for number in sweeps}
    scratch: list[Place] = []

    for node, place in outputs:
        if node not in memory and node in inside:
            memory[node] = place
            if node.target in ops.PRODUCTS:
                continue  # the product itself writes there
        for part_of, piece in pieces_of(node, place):
            sweeps[stage.get(node, max(sweeps)) - (node in apart)].stores.append((part_of, piece))
    for node, place in totals:
        for part_of, piece in pieces_of(node, place):
            sweeps[stage[node] - (node in apart)].stores.append((part_of, piece))

    def keep(node: fx.Node) -> Place:
        """Have `node` lie in memory."""
        if node not in memory:
            place = Place(str(node), width_of(node), "scratch")
            memory[node] = place
            scratch.append(place)
            if node in apart:
                sweeps[stage[node] - 1].stores += pieces_of(node, place)
            elif node.target not in ops.PRODUCTS and node.target not in ops.ROW_SUMS:
                sweeps[stage[node]].stores.append((place, node))
        return memory[node]

    def is_cheap(node: fx.Node) -> bool:
        """Quicker computed again from what lies in memory than written and read."""
        sources = [through_views(arg)[0] for arg in node.all_input_nodes]
        again = node.target not in ops.COSTLY | ops.PRODUCTS and node.target not in ops.ROW_SUMS
        return again and all(source in memory or source not in inside for source in sources)

    def need(node: fx.Node, turn: int) -> None:
        """Have `node` readable in sweep `turn`. Masks and constants are not kept but computed again."""
        base, _ = through_views(node)
        if base not in inside or stage[base] >= turn or base in memory:
            return
        if ops.is_mask(base) or base.target in ops.CONSTANTS or base.target in ops.PIECES or is_cheap(base):
            for arg in base.all_input_nodes:
                need(arg, turn)
        else:
            keep(base)

    for node in nodes:
        if node.target in ops.PRODUCTS:
            left, right = node.args
            if not isinstance(left, fx.Node) or not isinstance(right, fx.Node) or right in inside or right in memory:
                reason = f"{node.target} multiplies two values of the step; one factor must be a parameter"
                raise NotFusable(reason, node)
            base, offset = through_views(left)
            kept = keep(base)
            left_place = Place(kept.name, kept.width, kept.kind, kept.offset + offset)
            out = keep(node)
            products[stage[node] - 1].append(Product(out, left_place, right, shape(right)[0], shape(right)[1]))
        elif node.target in ops.ROW_SUMS:
            keep(node)
            sweeps[stage[node] - 1].sums.append(node)
        elif node in apart:
            keep(node)
        for arg in node.all_input_nodes:
            need(arg, stage_of_use(node, stage) - (node in apart))
    stages: list[Sweep | Product] = []
    for number in sorted(sweeps):
        if sweeps[number].stores or sweeps[number].sums:
            stages.append(sweeps[number])
        stages += products[number]
    return Schedule(stages, memory, scratch, inside, stage, apart)


def in_small_pieces(node: fx.Node) -> bool:
    """Whether a sweep that put the value together as it goes would be a very long text."""
    step = width_of(node)
    for start, _, _ in pieces(node):
        step = gcd(step, start)
    return width_of(node) > MOST_PIECES * step


def pieces_of(node: fx.Node, place: Place) -> list[tuple[Place, fx.Node]]:
    """A value that is put together from others, as stores of these."""
    if node.target not in ops.PIECES:
        return [(place, node)]
    stores, found = [], pieces(node)
    if any(first for _, piece, first in found if piece is not None):
        return [(place, node)]  # columns of one value replaced by another's
    for (start, piece, _), end in zip(found, [*(start for start, _, _ in found[1:]), width_of(node)], strict=True):
        if end > start:
            part = piece or zeros_like(node, end - start)
            stores.append((Place(place.name, place.width, place.kind, place.offset + start), part))
    return stores


def zeros_like(node: fx.Node, width: int) -> fx.Node:
    sizes = [shape(node)[0], width]
    with node.graph.inserting_before(node):
        zeros = node.graph.call_function(ops.aten.full.default, (sizes, 0.0))
    zeros.meta["val"] = torch.zeros(sizes, dtype=node.meta["val"].dtype)
    return zeros


def pieces(node: fx.Node) -> list[tuple[int, fx.Node | None, int]]:
    """What a value is put together from: the column where a part begins, the part (None is zeros), its first column."""
    if node.target is ops.aten.cat.default:
        starts, at = [], 0
        for part in node.args[0]:  # type: ignore[union-attr]
            starts.append((at, part, 0))
            at += width_of(part)  # type: ignore[arg-type]
        return starts
    around: fx.Node | None = None
    if node.target is ops.aten.slice_scatter.default:
        base, part = node.args[:2]
        at = node.args[3] if len(node.args) > 3 and node.args[3] is not None else 0
        assert isinstance(base, fx.Node)
        assert isinstance(at, int)
        at = at + width_of(node) if at < 0 else at
        around = None if base.target in ops.CONSTANTS and constant(base) == 0 else base
    else:
        part, pads = node.args[:2]
        at = pads[0]  # type: ignore[index]
    assert isinstance(part, fx.Node)
    assert isinstance(at, int)
    end = at + width_of(part)
    return [*([(0, around, 0)] if at else []), (at, part, 0), (end, around, end)]


def constant(node: fx.Node) -> float:
    if node.target is ops.aten.full.default:
        return node.args[1]  # type: ignore[return-value]
    if node.target is ops.aten.scalar_tensor.default:
        return node.args[0]  # type: ignore[return-value]
    return 0.0 if node.target is ops.aten.zeros.default else 1.0


def stage_of_use(node: fx.Node, stage: dict[fx.Node, int]) -> int:
    """The sweep that computes `node`, or gathers it."""
    return stage[node] - 1 if node.target in ops.PRODUCTS or node.target in ops.ROW_SUMS else stage[node]


def through_views(node: fx.Node) -> tuple[fx.Node, int]:
    """The value that `node` is a stretch of, and the column it begins at."""
    offset = 0
    while node.op == "call_function":
        if node.target in ops.SLICES and is_list(node.all_input_nodes[0]):
            split, index = node.args
            assert isinstance(split, fx.Node)
            assert isinstance(index, int)
            offset += piece_offset(split, index)
            node = split.all_input_nodes[0]
        elif node.target in ops.SLICES and node.target is not ops.operator.getitem:
            offset += slice_start(node)
            node = node.all_input_nodes[0]
        elif node.target in ops.RESHAPES and width_of(node) == width_of(node.all_input_nodes[0]):
            node = node.all_input_nodes[0]
        else:
            break
    return node, offset


def piece_offset(split: fx.Node, index: int) -> int:
    source, sizes = split.args[:2]
    assert isinstance(source, fx.Node)
    if isinstance(sizes, int):
        return index * sizes
    return sum(sizes[:index])  # type: ignore[arg-type, index]


def slice_start(node: fx.Node) -> int:
    width = width_of(node.all_input_nodes[0])
    start = node.args[2] if len(node.args) > 2 and node.args[2] is not None else 0
    assert isinstance(start, int)
    return start + width if start < 0 else start


def widths(stores: Iterable[tuple[Place, fx.Node]]) -> dict[int, list[tuple[Place, fx.Node]]]:
    """Stores by the width they are swept at: a width that a smaller one divides is swept piece by piece with it."""
    groups: dict[int, list[tuple[Place, fx.Node]]] = {}
    for place, node in sorted(stores, key=lambda store: width_of(store[1])):
        width = width_of(node)
        base = next((small for small in groups if small > 1 and width % small == 0 and width <= 8 * small), width)
        groups.setdefault(base, []).append((place, node))
    return groups
