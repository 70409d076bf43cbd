"""The three loops of a cell: forward to infer, forward to train, and back; what each reads, fills and carries."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import fx

from timeloom.scan import ops
from timeloom.scan.allowed import width_of
from timeloom.scan.plan import Plan
from timeloom.scan.render.frame import TOTALS, Kernel, State, Writer
from timeloom.scan.schedule import Place, schedule

ALIGNED = 16  # numbers of a cache line


@dataclass
class Loop:
    """One rendered loop and its arrays by name."""

    plan: Plan
    fields: tuple[str, ...]
    arrays: dict[str, int] = field(default_factory=dict)  # width by name
    filled: dict[str, fx.Node] = field(default_factory=dict)  # those that the loop writes, but for the states
    memory: dict[fx.Node, Place] = field(default_factory=dict)
    outputs: list[tuple[fx.Node, Place]] = field(default_factory=list)
    staged: list[fx.Node] = field(default_factory=list)  # products of inputs that the loop does itself, block by block
    states: list[State] = field(default_factory=list)  # or their gradients
    totals: dict[fx.Node, int] = field(
        default_factory=dict
    )  # sums over all rows: the column of the scratch each begins at
    kernel: Kernel = field(init=False)

    def reads(self, nodes: list[fx.Node], among: set[fx.Node]) -> None:
        """Have an array for each of `nodes` that lies in memory before the loop begins."""
        for node in nodes:
            if node in among and node not in self.memory:
                self.memory[node] = Place(str(node), width_of(node))
                self.arrays[str(node)] = width_of(node)

    def fills(self, node: fx.Node) -> None:
        """Have the loop write `node` to an array."""
        if str(node) not in self.filled:
            self.arrays[str(node)] = width_of(node)
            self.outputs.append((node, Place(str(node), width_of(node))))
            self.filled[str(node)] = node


def array_of(state: str) -> str:
    """The name of the array with a state before and after each step."""
    return f"states_{state}"


def forward_loop(plan: Plan, fields: tuple[str, ...], name: str, keep: bool) -> Loop:
    """The loop forward; to `keep` is to save what the way back needs."""
    t, loop = plan.trace, Loop(plan, fields)
    loop.staged = stageable(plan)
    for node in loop.staged:
        loop.memory[node] = Place(str(node), width_of(node), "staged")
    loop.reads(plan.inputs_of([*plan.forward, *loop.staged]), {t.x, *plan.before})
    wanted = {*plan.inputs_of(plan.read_out), t.y}
    for state, before, after in zip(fields, t.state, t.next_state, strict=True):
        array, width = array_of(state), width_of(before)
        whole = keep or before in wanted or after in wanted
        if whole:
            loop.arrays[array] = width
        loop.memory[before] = Place(array, width, "before" if whole else "carried")
        loop.outputs.append((after, Place(array, width, "after" if whole else "next")))
        loop.states.append(State(array, width, whole))
    inside = set(plan.forward)
    for node in [*(plan.saved if keep else ()), *plan.inputs_of(plan.read_out), t.y]:
        if node in inside and node not in t.next_state:
            loop.fills(node)
    order = schedule(plan.forward, loop.memory, loop.outputs)
    loop.kernel = Writer(name, order, loop.arrays, loop.states, back=False, staged=loop.staged).kernel()
    return loop


def stageable(plan: Plan) -> list[fx.Node]:
    """Products of inputs that only the loop forward reads: done some steps ahead of it, they never leave the caches."""
    t = plan.trace
    elsewhere = set(plan.inputs_of([*plan.read_out, *plan.before_backward, *plan.backward, *plan.after]))
    return [
        node
        for node in plan.before
        if node.target in ops.PRODUCTS
        and node not in elsewhere
        and all(user in plan.forward for user in node.users if user in plan.before or user in plan.forward)
        and node.args[0] in {t.x, *plan.before}
        and node.args[1] in {*t.fixed.values(), *plan.fixed}
    ]


def back_loop(plan: Plan, fields: tuple[str, ...]) -> Loop:
    """The loop back, which carries the gradients of the states."""
    t, loop = plan.trace, Loop(plan, fields)
    used = plan.inputs_of(plan.backward)
    loop.reads(used, {t.x, t.grad_y, *plan.before, *plan.saved, *plan.before_backward})
    for state, before, after in zip(fields, t.state, t.next_state, strict=True):
        array, width = array_of(state), width_of(before)
        for node, place in ((before, Place(array, width, "before")), (after, Place(array, width, "after"))):
            if node in used and node not in loop.memory:
                loop.memory[node] = place
                loop.arrays[array] = width
    for state, node, new in zip(fields, t.grad_state, t.grad_initial, strict=True):
        name, width = f"d_{state}", width_of(node)
        loop.memory[node] = Place(name, width, "carried")
        loop.outputs.append((new, Place(name, width, "next")))
        loop.states.append(State(name, width, whole=False))
    inside = set(plan.backward)
    for node in [*plan.inputs_of(plan.after), t.grad_x]:
        if node in inside or node in t.grad_state:
            loop.fills(node)
    width = 0
    for node in plan.totals:
        loop.totals[node] = width
        width += -(-width_of(node.all_input_nodes[0]) // ALIGNED) * ALIGNED
    gathered = [(node.all_input_nodes[0], Place(TOTALS, 2 * width, "total", at)) for node, at in loop.totals.items()]
    order = schedule(plan.backward, loop.memory, loop.outputs, gathered)
    loop.kernel = Writer("back", order, loop.arrays, loop.states, back=True, totals=loop.totals, room=width).kernel()
    return loop
