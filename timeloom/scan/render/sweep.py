"""The element-wise part of a step as C++ text: loops over the columns of each row, one value after another."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import gcd
from typing import Any, Protocol

from torch import fx

from timeloom.scan import ops
from timeloom.scan.allowed import NotFusable, width_of
from timeloom.scan.ops import is_mask, shape
from timeloom.scan.schedule import (
    Place,
    Schedule,
    Sweep,
    constant,
    is_list,
    piece_offset,
    pieces,
    slice_start,
    widths,
)


class Around(Protocol):
    """What a sweep must know of the loop it stands in."""

    schedule: Schedule

    def vector(self, node: fx.Node) -> str: ...
    def address(self, place: Place, row: str = "") -> str: ...


def sweep_text(around: Around, name: str, stage: Sweep) -> str:
    """One sweep as a function."""
    stores = widths([(place, node) for place, node in stage.stores])
    groups: dict[int, tuple[list[tuple[Place, fx.Node]], list[fx.Node]]] = {w: (s, []) for w, s in stores.items()}
    for node in stage.sums:
        groups.setdefault(width_of(node.all_input_nodes[0]), ([], []))[1].append(node)
    passes = [Pass(around, stage.stage, width, some, sums).text() for width, (some, sums) in groups.items()]
    return (
        f"void {name}(const memory& m, const moment& now, const portion& mine) {{\n"
        "    for (long r = 0; r < now.rows; ++r) {\n" + "\n".join(passes) + "\n    }\n}\n"
    )


@dataclass
class Pass:
    """One loop over the columns of a row, `width` of them; wider stores go piece by piece."""

    around: Around
    stage: int
    width: int
    stores: list[tuple[Place, fx.Node]]
    sums: list[fx.Node]
    lines: list[str] = field(default_factory=list)
    row_lines: list[str] = field(default_factory=list)
    pointers: dict[tuple[Any, ...], str] = field(default_factory=dict)
    known: dict[tuple[fx.Node, int, bool], str] = field(default_factory=dict)
    declared: set[str] = field(default_factory=set)

    def text(self) -> str:
        self.step = self.finest()
        after: list[str] = []
        for node in self.sums:
            kind = ops.ROW_SUMS[node.target]  # type: ignore[index]
            start = {"sum": "vec{}", "max": "broadcast(-infinity)", "min": "broadcast(infinity)"}[kind]
            self.row_lines.append(f"vec {node}_total = {start};")
            joined = {"sum": "{0} + {1}", "max": "maximum({0}, {1})", "min": "minimum({0}, {1})"}[kind]
            for offset in range(0, width_of(node.all_input_nodes[0]), self.step):
                value = f"keep({self.value(node.all_input_nodes[0], offset)}, {start}, n)"
                self.lines.append(f"{node}_total = {joined.format(f'{node}_total', value)};")
            after.append(
                f"*({self.around.address(self.around.schedule.memory[node], 'r')}) = across_{kind}({node}_total);"
            )
        for place, node in self.stores:
            for offset in range(0, width_of(node), self.step):
                value = self.value(node, offset)
                at = f"{self.pointer(place)} + j{plus(offset)}"
                value = f"load({at}, n) + {value}" if place.kind == "total" else value
                self.lines.append(f"store({at}, {value}, n);")
        pad = " " * 12
        body = "\n".join(f"{pad}    {line}" for line in self.lines)
        rows = "\n".join(f"{pad}{line}" for line in self.row_lines)
        rest = "\n".join(f"{pad}{line}" for line in after)
        columns = f"by_vectors(0, {self.step}" if self.sums else f"by_columns(mine, {self.step}"
        loop = f"{pad}{columns}, [&](long j, auto n) SCAN_LAMBDA {{\n{body}\n{pad}}});"
        opening = "        if (mine.number == 0) {  // sums go over the whole row" if self.sums else "        {"
        return "\n".join(part for part in (opening, rows, loop, rest, "        }") if part)

    def finest(self) -> int:
        """The step that no piece of a `cat` is cut by."""
        step = self.width
        seen: set[fx.Node] = set()
        stack = [node for _, node in self.stores] + [node.all_input_nodes[0] for node in self.sums]
        while stack:
            node = stack.pop()
            if node in seen:
                continue
            seen.add(node)
            if node in self.around.schedule.memory and self.readable(node):
                continue
            if node.target in ops.PIECES and node in self.around.schedule.inside:
                for start, piece, _ in pieces(node):
                    step = gcd(step, start)
                    step = gcd(step, width_of(piece)) if piece is not None else step
            if node in self.around.schedule.inside:
                stack += [arg for arg in node.all_input_nodes if arg in self.around.schedule.inside]
        return step

    def value(self, node: fx.Node, offset: int, row: bool = False) -> str:
        """The name of a vector (or mask) with the columns [j + offset, ...) of `node`.

        With `row` it holds column `offset` in every lane and is computed once a row, as is all that is one column wide.
        """
        known = node in self.around.schedule.inside or node in self.around.schedule.memory
        if known and width_of(node) == 1:
            offset, row = 0, True
        key = (node, offset, row)
        if key not in self.known:
            self.known[key] = self.write(node, offset, row)
        return self.known[key]

    def write(self, node: fx.Node, offset: int, row: bool) -> str:
        memory, inside = self.around.schedule.memory, self.around.schedule.inside
        if node in memory and self.readable(node):
            return self.load(f"{node}_at", self.pointer(memory[node]), offset, row)
        if node not in inside:
            return self.fixed(node, offset, row)
        args = node.all_input_nodes
        if node.target in ops.SLICES:
            base, start = args[0], 0
            if is_list(base):
                index = node.args[1]
                assert isinstance(index, int)
                base, start = base.all_input_nodes[0], piece_offset(base, index)
            else:
                start = slice_start(node)
            return self.value(base, offset + start, row)
        if node.target in ops.RESHAPES:
            return self.value(args[0], offset, row)
        if node.target in ops.CONSTANTS:
            return literal(constant(node))
        if node.target in ops.PIECES:
            start, piece, first = next(found for found in reversed(pieces(node)) if offset >= found[0])
            return "vec{}" if piece is None else self.value(piece, offset - start + first, row)
        name = f"{node}_{'scalar' if row else ''}{offset or ''}"
        self.declare("mask" if is_mask(node) else "vec", name, self.expression(node, offset, row), row)
        return name

    def readable(self, node: fx.Node) -> bool:
        """Whether an earlier stage has written the value, so that it need not be computed here."""
        schedule = self.around.schedule
        if node not in schedule.inside or node.target in ops.PRODUCTS or node.target in ops.ROW_SUMS:
            return True
        return schedule.stage[node] < self.stage + (node in schedule.apart)

    def expression(self, node: fx.Node, offset: int, row: bool) -> str:
        operands = [self.operand(node, i, offset, row) for i in range(len(node.args))]
        if node.target in ops.CASTS:
            source = node.all_input_nodes[0]
            if is_mask(node) == is_mask(source):
                return str(operands[0])
            return f"{operands[0]} != vec{{}}" if is_mask(node) else f"select({operands[0]}, broadcast(1), vec{{}})"
        if node.target is ops.aten.clamp.default:
            text, low, high = [*operands, None, None][:3]
            text = f"maximum({text}, {low})" if low else text
            return f"minimum({text}, {high})" if high else str(text)
        if node.kwargs.get("alpha", 1) != 1:
            operands[1] = f"({operands[1]} * {literal(node.kwargs['alpha'])})"  # type: ignore[arg-type]
        return (ops.COMPARISONS.get(node.target) or ops.ELEMENTWISE[node.target]).format(*operands)

    def operand(self, node: fx.Node, i: int, offset: int, row: bool) -> str | None:
        """The i-th argument; a mask stays one where it chooses or meets its like, and is 0 and 1 in arithmetic."""
        arg = node.args[i]
        if not isinstance(arg, fx.Node):
            return None if arg is None else scalar(arg)
        text = self.value(arg, offset, row)
        chooses = node.target is ops.aten.where.self and i == 0
        logical = node.target in ops.LOGICAL or node.target in ops.CASTS
        return f"select({text}, broadcast(1), vec{{}})" if is_mask(arg) and not (chooses or logical) else text

    def fixed(self, node: fx.Node, offset: int, row: bool) -> str:
        """A parameter, or what was computed from parameters alone: one number a column, or one number."""
        if node.target in ops.CONSTANTS:
            return literal(constant(node))
        sizes = shape(node)
        if len(sizes) > 1 and sizes[0] != 1:
            reason = f"a parameter of the shape {sizes} is used element by element; wanted one number a column"
            raise NotFusable(reason, node)
        pointer = f"m.{self.around.vector(node)}"
        if not sizes or sizes[-1] == 1:
            text = self.load(f"{node}_all", pointer, 0, True)
        else:
            text = self.load(f"{node}_v", pointer, offset, row)
        return f"({text} != vec{{}})" if is_mask(node) else text  # a mask comes as 0 and 1

    def load(self, name: str, pointer: str, offset: int, row: bool) -> str:
        name += f"{'_scalar' if row else ''}{f'_{offset}' if offset else ''}"
        text = f"broadcast({pointer}[{offset}])" if row else f"load({pointer} + j{plus(offset)}, n)"
        if name not in self.declared:
            self.declare("vec", name, text, row)
        return name

    def declare(self, kind: str, name: str, text: str, row: bool) -> None:
        self.declared.add(name)
        (self.row_lines if row else self.lines).append(f"const {kind} {name} = {text};")

    def pointer(self, place: Place) -> str:
        key = (place.name, place.kind, place.offset)
        if key not in self.pointers:
            suffix = f"_{place.kind}" if place.kind in ("before", "after", "next") else ""
            suffix += f"_from{place.offset}" if place.offset else ""
            self.pointers[key] = f"{place.name}{suffix}_row"
            address = self.around.address(place, "r")
            self.row_lines.append(f"real* const {self.pointers[key]} = {address};")
        return self.pointers[key]


def literal(value: float | bool) -> str:
    if value != value:
        return "broadcast(std::numeric_limits<real>::quiet_NaN())"
    if value in (float("inf"), float("-inf")):
        return "broadcast(infinity)" if value > 0 else "broadcast(-infinity)"
    return f"broadcast(real({float(value)!r}))"


def scalar(value: Any) -> str:
    return literal(value) if isinstance(value, int | float | bool) else str(value)


def plus(offset: int) -> str:
    return f" + {offset}" if offset else ""


def shape_words(node: fx.Node) -> str:
    return ", ".join(map(str, shape(node))) or "1"
