"""A schedule as C++ text, in the words of scan.h."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import gcd
from typing import Any

from torch import fx

from timeloom.scan import ops
from timeloom.scan.ops import is_mask, shape
from timeloom.scan.plan import NotFusable
from timeloom.scan.schedule import (
    Place,
    Product,
    Schedule,
    Sweep,
    is_list,
    piece_offset,
    slice_start,
    width_of,
    widths,
)


@dataclass
class Kernel:
    """The text of one loop, and what it is called with: arrays, vectors and matrices in the order of its arguments."""

    text: str
    arrays: list[str]
    vectors: list[fx.Node]
    matrices: list[fx.Node]


@dataclass
class Writer:
    """Writes one loop. `backward` runs from the last step to the first and carries gradients of the state."""

    name: str
    schedule: Schedule
    arrays: dict[str, int]  # width by name
    carried: list[tuple[str, int]]  # gradients of the state: name and width
    backward: bool
    vectors: dict[fx.Node, str] = field(default_factory=dict)
    matrices: dict[fx.Node, str] = field(default_factory=dict)

    def kernel(self) -> Kernel:
        sweeps: list[str] = []
        calls: list[str] = []
        for stage in self.schedule.stages:
            if isinstance(stage, Sweep):
                name = f"sweep_{len(sweeps) + 1}"
                sweeps.append(self.sweep(name, stage))
                calls.append(f"{name}(l, t, turn, rows);")
            else:
                calls.append(self.product(stage))
        return Kernel(self.around(sweeps, calls), list(self.arrays), list(self.vectors), list(self.matrices))

    # ---------------------------------------------------------------------------------------------- the frame

    def around(self, sweeps: list[str], calls: list[str]) -> str:
        scratch = self.schedule.scratch
        members = [f"    real* {name};  // (slots, B, {width})" for name, width in self.arrays.items()]
        members += [f"    const real* {name};  // ({shape_words(node)})" for node, name in self.vectors.items()]
        members += [f"    const real* {name};  // packed ({shape_words(node)})" for node, name in self.matrices.items()]
        own = [f"    buffer {p.name};  // (rows, {p.width})" for p in scratch]
        own += [f"    buffer {name}[2];  // (rows, {width})" for name, width in self.carried]
        made = [f"{p.name}(rows * {p.width})" for p in scratch]
        made += [f"{name}{{buffer(rows * {width}), buffer(rows * {width})}}" for name, width in self.carried]
        colon = " : " + ", ".join(["g(g)", "B(B)", "first(first)", *made])
        packs = [self.pack(node, name, number) for number, (node, name) in enumerate(self.matrices.items())]
        order = "for (long t = last - 1; t >= 0; --t)" if self.backward else "for (long t = 0; t < last; ++t)"
        A, V = len(self.arrays), len(self.vectors)
        pointers = [f"static_cast<real*>(pointers[{i}])" for i in range(A + V)]
        pointers += ["nullptr"] * len(self.matrices)
        bring, take = self.carry()
        body = "\n            ".join(calls)
        lines = [
            f"namespace {self.name} {{",
            "",
            "struct memory {",
            *members,
            "};",
            "",
            "// What one thread has to itself: the rows [first, first + count) of the batch.",
            "struct local {",
            "    const memory& g;",
            "    const long B, first;",
            *own,
            f"    local(const memory& g, long B, long first, long rows){colon} {{}}",
            "};",
            "",
            *sweeps,
            "struct call {",
            "    memory g;",
            "    long T, B;",
            "    const std::int64_t* active;  // (T) rows that have not ended at each step; null: all of them",
            "    real* const* states;  // for each carried gradient: at the end, then at the beginning",
            "};",
            "",
            "void work(int thread, int threads, void* data) {",
            "    const call& c = *static_cast<const call*>(data);",
            "    const range mine = share(c.active, c.T, c.B, thread, threads);",
            "    const long count = mine.to - mine.from;",
            "    if (count <= 0) return;",
            "    local l(c.g, c.B, mine.from, count);",
            *bring,
            "    long last = c.T;",
            "    while (last > 0 && rows_at(c.active, last - 1, c.B) <= mine.from) --last;",
            "    int turn = 0;",
            f"    {order} {{",
            "        const long rows = std::min(rows_at(c.active, t, c.B), mine.to) - mine.from;",
            "        {",
            f"            {body}",
            "        }",
            "        turn ^= 1;",
            "    }",
            *take,
            "}",
            "",
            f"}}  // namespace {self.name}",
            "",
            f'extern "C" int {self.name}_loop(long T, long B, const std::int64_t* active, void* const* pointers,',
            "                 const std::int64_t* strides, real* const* states, int threads, const pool* from) {",
            "    try {",
            *packs_room(self.matrices),
            f"        {self.name}::call c{{{{{', '.join(pointers)}}}, T, B, active, states}};",
            *packs,
            f"        team(*from, int(std::min<long>(threads, B)), {self.name}::work, &c);",
            "        return 0;",
            "    } catch (const std::bad_alloc&) {",
            "        return 1;",
            "    }",
            "}",
            "",
        ]
        return "\n".join(lines)

    def carry(self) -> tuple[list[str], list[str]]:
        bring = [
            f"    for (auto& part : l.{name}) std::copy_n(c.states[{2 * i}] + mine.from * {w}, count * {w}, part + 0);"
            for i, (name, w) in enumerate(self.carried)
        ]
        take = [
            f"    std::copy_n(l.{name}[turn] + 0, count * {w}, c.states[{2 * i + 1}] + mine.from * {w});"
            for i, (name, w) in enumerate(self.carried)
        ]
        return bring, take

    def pack(self, node: fx.Node, name: str, number: int) -> str:
        K, N = shape(node)
        A, V = len(self.arrays), len(self.vectors)
        source = f"static_cast<const real*>(pointers[{A + V + number}])"
        strides = f"strides[{2 * number + 1}], strides[{2 * number}]"
        return (
            f"        pack({{{source}, {strides}}}, {N}, {K}, {name}_packed, {{0, panels({N})}});\n"
            f"        c.g.{name} = {name}_packed;"
        )

    # ---------------------------------------------------------------------------------------------- products

    def product(self, stage: Product) -> str:
        right = self.matrix(stage.right)
        left = f"{{{self.address(stage.left, 'l.first', '0')}, {stage.left.width}, 1}}"
        out = self.address(stage.out, "l.first", "0")
        return f"product(rows, {left}, l.g.{right}, {stage.K}, {stage.N}, {out}, {stage.out.width}, false);"

    def matrix(self, node: fx.Node) -> str:
        return self.matrices.setdefault(node, f"{node}_")

    def vector(self, node: fx.Node) -> str:
        return self.vectors.setdefault(node, f"{node}_")

    def address(self, place: Place, row: str, local_row: str) -> str:
        """A pointer to the first column of a row."""
        offset = f" + {place.offset}" if place.offset else ""
        begin = "" if local_row == "0" else f" + {local_row} * {place.width}"
        if place.kind == "array":
            t = f"(t + {place.shift})" if place.shift else "t"
            return f"l.g.{place.name} + ({t} * l.B + {row}) * {place.width}{offset}"
        buffer = {"scratch": place.name, "carried": f"{place.name}[turn]", "next": f"{place.name}[turn ^ 1]"}[
            place.kind
        ]
        return f"l.{buffer}{begin}{offset}"

    # ---------------------------------------------------------------------------------------------- sweeps

    def sweep(self, name: str, stage: Sweep) -> str:
        blocks: list[str] = []
        stores = widths([(place, node) for place, node in stage.stores])
        groups: dict[int, tuple[list[tuple[Place, fx.Node]], list[fx.Node]]] = {w: (s, []) for w, s in stores.items()}
        for node in stage.sums:
            groups.setdefault(width_of(node.all_input_nodes[0]), ([], []))[1].append(node)
        for width, (some, sums) in groups.items():
            blocks.append(Pass(self, stage.stage, width, some, sums).text())
        inner = "\n".join(blocks)
        return (
            f"void {name}(local& l, long t, int turn, long rows) {{\n"
            "    (void)t, (void)turn;\n"
            "    for (long r = 0; r < rows; ++r) {\n"
            f"{inner}\n"
            "    }\n"
            "}\n"
        )


@dataclass
class Pass:
    """One loop over the columns of a row, `width` of them; wider stores go piece by piece."""

    writer: Writer
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
            after.append(f"l.{node}[r] = across_{kind}({node}_total);")
        for place, node in self.stores:
            for offset in range(0, width_of(node), self.step):
                value = self.value(node, offset)
                self.lines.append(f"store({self.pointer(place)} + j{plus(offset)}, {value}, n);")
        pad = " " * 12
        body = "\n".join(f"{pad}    {line}" for line in self.lines)
        rows = "\n".join(f"{pad}{line}" for line in self.row_lines)
        rest = "\n".join(f"{pad}{line}" for line in after)
        loop = f"{pad}by_vectors(0, {self.step}, [&](long j, auto n) SCAN_LAMBDA {{\n{body}\n{pad}}});"
        return "\n".join(part for part in ("        {", rows, loop, rest, "        }") if part)

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
            if node in self.writer.schedule.memory and self.readable(node):
                continue
            if node.target in ops.PIECES and node in self.writer.schedule.inside:
                for start, piece in pieces(node):
                    step = gcd(step, start)
                    step = gcd(step, width_of(piece)) if piece is not None else step
            if node in self.writer.schedule.inside:
                stack += [arg for arg in node.all_input_nodes if arg in self.writer.schedule.inside]
        return step

    def value(self, node: fx.Node, offset: int, row: bool = False) -> str:
        """The name of a vector (or mask) with the columns [j + offset, ...) of `node`.

        With `row` it holds column `offset` in every lane and is computed once a row, as is all that is one column wide.
        """
        known = node in self.writer.schedule.inside or node in self.writer.schedule.memory
        if known and width_of(node) == 1:
            offset, row = 0, True
        key = (node, offset, row)
        if key not in self.known:
            self.known[key] = self.write(node, offset, row)
        return self.known[key]

    def write(self, node: fx.Node, offset: int, row: bool) -> str:
        memory, inside = self.writer.schedule.memory, self.writer.schedule.inside
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
            start, piece = next((s, p) for s, p in reversed(pieces(node)) if offset >= s)
            return "vec{}" if piece is None else self.value(piece, offset - start, row)
        name = f"{node}_{'scalar' if row else ''}{offset or ''}"
        self.declare("mask" if is_mask(node) else "vec", name, self.expression(node, offset, row), row)
        return name

    def readable(self, node: fx.Node) -> bool:
        """Whether an earlier stage has written the value, so that it need not be computed here."""
        schedule = self.writer.schedule
        if node not in schedule.inside or node.target in ops.PRODUCTS or node.target in ops.ROW_SUMS:
            return True
        return schedule.stage[node] < self.stage

    def expression(self, node: fx.Node, offset: int, row: bool) -> str:
        operands = [
            self.value(arg, offset, row) if isinstance(arg, fx.Node) else None if arg is None else scalar(arg)
            for arg in node.args
        ]
        if node.target in (ops.aten._to_copy.default, ops.prims.convert_element_type.default):
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

    def fixed(self, node: fx.Node, offset: int, row: bool) -> str:
        """A parameter, or what was computed from parameters alone: one number a column, or one number."""
        if node.target in ops.CONSTANTS:
            return literal(constant(node))
        sizes = shape(node)
        if len(sizes) > 1 and sizes[0] != 1:
            raise NotFusable(f"a parameter of the shape {sizes} is used element by element; wanted one number a column")
        pointer = f"l.g.{self.writer.vector(node)}"
        if not sizes or sizes[-1] == 1:
            return self.load(f"{node}_all", pointer, 0, True)
        return self.load(f"{node}_v", pointer, offset, row)

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
        key = (place.name, place.kind, place.shift, place.offset)
        if key not in self.pointers:
            suffix = "_next" if place.kind == "next" else f"_{place.shift}" if place.shift else ""
            suffix += f"_from{place.offset}" if place.offset else ""
            self.pointers[key] = f"{place.name}{suffix}_row"
            address = self.writer.address(place, "l.first + r", "r")
            self.row_lines.append(f"real* const {self.pointers[key]} = {address};")
        return self.pointers[key]


def pieces(node: fx.Node) -> list[tuple[int, fx.Node | None]]:
    """Where the parts of a `cat`, or of its inverse with zeros around, begin; None is zeros."""
    if node.target is ops.aten.cat.default:
        starts, at = [], 0
        for part in node.args[0]:  # type: ignore[union-attr]
            starts.append((at, part))
            at += width_of(part)  # type: ignore[arg-type]
        return starts  # type: ignore[return-value]
    if node.target is ops.aten.slice_scatter.default:
        part, start = node.args[1], node.args[3] if len(node.args) > 3 else 0
    else:
        part, pads = node.args[:2]
        start = pads[0]  # type: ignore[index]
    assert isinstance(part, fx.Node)
    at = int(start or 0)  # type: ignore[arg-type]
    around: list[tuple[int, fx.Node | None]] = [(at, part), (at + width_of(part), None)]
    return [(0, None), *around] if at else around


def constant(node: fx.Node) -> float:
    if node.target is ops.aten.full.default:
        return node.args[1]  # type: ignore[return-value]
    if node.target is ops.aten.scalar_tensor.default:
        return node.args[0]  # type: ignore[return-value]
    return 0.0 if node.target is ops.aten.zeros.default else 1.0


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


def packs_room(matrices: dict[fx.Node, str]) -> list[str]:
    return [
        f"        buffer {name}_packed(packed_size({shape(node)[1]}, {shape(node)[0]}));"
        for node, name in matrices.items()
    ]
