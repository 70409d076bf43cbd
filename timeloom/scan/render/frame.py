"""A schedule as C++ text, in the words of loop.h: the arrays, the step, and the loop over time around it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from torch import fx

from timeloom.scan.allowed import width_of
from timeloom.scan.ops import shape
from timeloom.scan.render.sweep import sweep_text
from timeloom.scan.schedule import Place, Product, Schedule, Sweep

TOTALS = "totals"


@dataclass(frozen=True)
class Kernel:
    """The text of one loop, and what it is called with, in this order: arrays, vectors, matrices, states.

    A state comes as two pointers: what it is before the loop, and where it goes after it.
    """

    text: str
    arrays: list[str]
    vectors: list[fx.Node]
    matrices: list[fx.Node]


@dataclass(frozen=True)
class State:
    """What a loop carries: in a `whole` array, which has it before and after each step, or from step to step."""

    name: str
    width: int
    whole: bool


@dataclass
class Writer:
    """Writes one loop. A `back` loop goes against the direction of the scan and carries gradients of the states."""

    name: str
    schedule: Schedule
    arrays: dict[str, int]  # width by name
    states: list[State]  # or, in a back loop, their gradients
    back: bool
    staged: list[fx.Node] = field(default_factory=list)  # products of inputs, done for a block of steps at a time
    totals: dict[fx.Node, int] = field(default_factory=dict)  # sums over all rows: each one's first column of `room`
    room: int = 0
    vectors: dict[fx.Node, str] = field(default_factory=dict)
    matrices: dict[fx.Node, str] = field(default_factory=dict)

    def kernel(self) -> Kernel:
        sweeps: list[str] = []
        calls: list[str] = []
        for stage in self.schedule.stages:
            if isinstance(stage, Sweep):
                name = f"sweep_{len(sweeps) + 1}"
                sweeps.append(sweep_text(self, name, stage))
                calls.append(f"{name}(m, now, mine);")
            else:
                calls.append(self.product(stage))
            calls.append("mine.meet();")
        staging = [
            f"product(some, m.{node.args[0]}, m.{self.matrix(node.args[1])}, m.{node}, mine);"  # type: ignore[arg-type]
            for node in self.staged
        ]
        parts = [
            f"namespace {self.name} {{",
            "",
            *self.memory(),
            "",
            *sweeps,
            "// What a block of steps needs of its inputs.",
            "void stage(const memory& m, const block& some, const portion& mine) {",
            *(f"    {call}" for call in staging or ["(void)m, (void)some, (void)mine;"]),
            "}",
            "",
            "void step(const memory& m, const moment& now, const portion& mine) {",
            *(f"    {call}" for call in calls),
            "}",
            "",
            f"}}  // namespace {self.name}",
            "",
            *self.entry(),
            "",
        ]
        return Kernel("\n".join(parts), self.names, list(self.vectors), list(self.matrices))

    @property
    def names(self) -> list[str]:
        """What has a pointer of its own from the caller, but for parameters."""
        return [*self.arrays, *map(str, self.totals)]

    def memory(self) -> list[str]:
        """The struct with every array, parameter and scratch of the loop."""
        of_states = {p.name for p in self.schedule.memory.values() if p.kind in ("before", "after")}
        members = [
            (f"real* {name};", f"{'states (B + rows' if name in of_states else '(rows'}, {width})")
            for name, width in self.arrays.items()
        ]
        members += [(f"real* {node};", f"({shape_words(node)})") for node in self.totals]
        members += [(f"const real* {name};", f"({shape_words(node)})") for node, name in self.vectors.items()]
        members += [(f"weights {name};", f"({shape_words(node)})") for node, name in self.matrices.items()]
        members += [(f"real* {place.name};", f"(B, {place.width})") for place in self.schedule.scratch]
        members += [(f"real* {node};", f"(steps of a block, B, {shape(node)[1]})") for node in self.staged]
        members += [(f"real* {state.name}[2];", f"(B, {state.width})") for state in self.carried]
        if self.totals:
            members.append((f"real* {TOTALS};", f"(threads, 2, {self.room})  of a block of steps, of all before it"))
        return ["struct memory {", *(f"    {text}  // {note}" for text, note in members), "};"]

    def work(self) -> int:
        """What one step of one sequence costs, in multiplications; another value of a sweep costs about eight."""
        products = [stage.K * stage.N for stage in self.schedule.stages if isinstance(stage, Product)]
        products += [math.prod(shape(node.args[1])) for node in self.staged]  # type: ignore[arg-type]
        return sum(products) + 8 * sum(width_of(node) for node in self.schedule.inside)

    def entry(self) -> list[str]:
        """The function that Python calls."""
        A, V, M = len(self.names), len(self.vectors), len(self.matrices)
        scratch = [place.width for place in self.schedule.scratch]
        scratch += [state.width for state in self.carried for _ in range(2)]
        sizes = [shape(node) for node in self.matrices]
        given = [f"static_cast<real*>(p[{i}])" for i in range(A + V)]
        given += [
            f"{{{{static_cast<real*>(p[{A + V + i}]), strides[{2 * i + 1}], strides[{2 * i}]}}, {N}, {K}, "
            f"packs(*b, strides[{2 * i}]) ? own.take(packed_size({N}, {K})) : nullptr}}"
            for i, (K, N) in enumerate(sizes)
        ]
        given += [f"own.take(b->B * {place.width})" for place in self.schedule.scratch]
        given += [f"own.take(ahead * {shape(node)[1]})" for node in self.staged]
        given += [f"{{own.take(b->B * {s.width}), own.take(b->B * {s.width})}}" for s in self.carried]
        given += [f"own.take(threads * {2 * self.room})"] if self.totals else []
        room = " + ".join(
            [f"b->B * {sum(scratch)}" if scratch else "0"]
            + [f"ahead * {shape(node)[1]}" for node in self.staged]
            + [f"(packs(*b, strides[{2 * i}]) ? packed_size({N}, {K}) : 0)" for i, (K, N) in enumerate(sizes)]
            + ([f"threads * {2 * self.room}"] if self.totals else [])
            + [f"{len(scratch) + len(self.staged) + len(sizes) + bool(self.totals)} * lanes"]
        )
        packs = [f"        m.{name}.pack(thread, threads);" for name in self.matrices.values()]
        begin, end = self.ends(A + V + M)
        return [
            f"SCAN_ENTRY int {self.name}_loop(const batch* b, void* const* p, const std::int64_t* strides,",
            "                          int threads, const pool* from) try {",
            f"    using namespace {self.name};",
            f"    const teamwork how = share_work(*b, threads, {self.work()});",
            "    const long ahead = b->B * steps_of_a_block(*b, how);",
            f"    room own({room});",
            "    const memory m{",
            *(f"        {part}," for part in given),
            "    };",
            "    const auto pack = [&](int thread, int threads) {",
            *(packs or ["        (void)thread, (void)threads;"]),
            "    };",
            "    const auto begin = [&](range mine) {",
            "        for (long s = mine.from; s < mine.to; ++s) {",
            *(f"            {line}" for line in begin),
            "        }",
            "    };",
            "    const auto ahead_of = [&](const block& some, const portion& mine) { stage(m, some, mine); };",
            "    const auto one = [&](const moment& now, const portion& mine) { step(m, now, mine); };",
            "    const auto end = [&](range mine) {",
            "        for (long s = mine.from; s < mine.to; ++s) {",
            *(f"            {line}" for line in end),
            "        }",
            "    };",
            *self.gathering(),
            f"    over_time(*b, {str(self.back).lower()}, how, *from, pack, begin, ahead_of, one, settle, end);",
            *(f"    collect({at}, m.{total});" for total, at in self.collected()),
            "    return 0;",
            "} catch (const std::bad_alloc&) {",
            "    return 1;",
            "}",
        ]

    def ends(self, first: int) -> tuple[list[str], list[str]]:
        """Lines for one sequence `s`: how its states come in, and how they go out."""
        begin, end = [], []
        if self.carried:
            late = "!b->reverse" if self.back else "b->reverse"  # sequences come in one by one, and end together
            end.append(f"const long steps = b->length({late} ? mine.from : s);")
        for i, state in enumerate(self.states):
            name, width = state.name, state.width
            came = f"static_cast<real*>(p[{first + 2 * i}]) + b->caller(s) * {width}"
            goes = f"static_cast<real*>(p[{first + 2 * i + 1}]) + b->caller(s) * {width}"
            if state.whole:
                begin.append(f"copy_row(m.{name} + b->first_state(s) * {width}, {came}, {width});")
                end.append(f"copy_row({goes}, m.{name} + b->last_state(s) * {width}, {width});")
            else:
                begin.append(f"for (real* part : m.{name}) copy_row(part + s * {width}, {came}, {width});")
                end.append(f"copy_row({goes}, m.{name}[steps & 1] + s * {width}, {width});")
        return begin, end

    def gathering(self) -> list[str]:
        """How a thread adds the totals of a block of steps to those of all blocks before it."""
        if not self.totals:
            return ["    const auto settle = [](int) {};"]
        both = 2 * self.room
        return [
            f"    std::fill_n(m.{TOTALS}, threads * {both}, real(0));",
            f"    const auto settle = [&](int thread) {{ add_block(m.{TOTALS} + thread * {both}, {self.room}); }};",
        ]

    def collected(self) -> list[tuple[fx.Node, str]]:
        """Each total with what `collect` wants to know of where the threads have it."""
        both = 2 * self.room
        return [
            (node, f"m.{TOTALS} + {self.room + at}, threads, {both}, {math.prod(shape(node))}")
            for node, at in self.totals.items()
        ]

    @property
    def carried(self) -> list[State]:
        return [state for state in self.states if not state.whole]

    def product(self, stage: Product) -> str:
        left = f"{{{self.address(stage.left)}, {stage.left.width}, 1}}"
        out = f"{self.address(stage.out)}, {stage.out.width}"
        return f"product(now.rows, {left}, m.{self.matrix(stage.right)}, {out}, mine);"

    def matrix(self, node: fx.Node) -> str:
        return self.matrices.setdefault(node, f"{node}_")

    def vector(self, node: fx.Node) -> str:
        return self.vectors.setdefault(node, f"{node}_")

    def address(self, place: Place, row: str = "") -> str:
        """A pointer to a place's first column, in the first row of this moment or `row` rows on."""
        name, first = {
            "array": (place.name, "now.row"),
            "before": (place.name, "now.before"),
            "after": (place.name, "now.after"),
            "scratch": (place.name, "now.sequence"),
            "staged": (place.name, "now.staged"),
            "carried": (f"{place.name}[now.turn]", "now.sequence"),
            "next": (f"{place.name}[now.turn ^ 1]", "now.sequence"),
            "total": (place.name, "now.thread"),
        }[place.kind]
        row = "" if place.kind == "total" else row
        at = f"({first} + {row})" if row else first
        return f"m.{name} + {at} * {place.width}" + (f" + {place.offset}" if place.offset else "")


def shape_words(node: fx.Node) -> str:
    return ", ".join(map(str, shape(node))) or "1"
