"""Which part of a step runs before the time loop, in it, and after it; and what is kept for the way back.

The law: a value that the state does not reach needs no loop. Products of the input run over all steps at once *before*
it; what only a gradient or an output needs runs over all steps at once *after* it; the rest is the loop. The same holds
for the way back, with the gradient of the state in the place of the state.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from torch import fx

from timeloom.scan import ops
from timeloom.scan.allowed import NotFusable, check
from timeloom.scan.ops import shape
from timeloom.scan.trace import Trace


@dataclass
class Plan:
    """Nodes of one trace by the place they run in. Lists are in an order in which they can be computed."""

    trace: Trace
    fixed: list[fx.Node] = field(default_factory=list)  # parameters alone: once, before everything
    before: list[fx.Node] = field(default_factory=list)  # over all steps, before the loop
    forward: list[fx.Node] = field(default_factory=list)  # in the loop
    read_out: list[fx.Node] = field(default_factory=list)  # outputs that do not feed back: over all steps, after it
    saved: list[fx.Node] = field(default_factory=list)  # of the forward loop's values, kept for the way back
    before_backward: list[fx.Node] = field(default_factory=list)
    backward: list[fx.Node] = field(default_factory=list)  # in the backward loop
    totals: list[fx.Node] = field(default_factory=list)  # sums over all rows of what that loop computes, gathered in it
    after: list[fx.Node] = field(default_factory=list)  # gradients that do not feed back, over all steps

    def inputs_of(self, nodes: Iterable[fx.Node]) -> list[fx.Node]:
        """What `nodes` use that is not among them, in the order of the graph."""
        inside = set(nodes)
        wanted = {arg for node in inside for arg in node.all_input_nodes if arg not in inside}
        return [node for node in self.trace.graph.nodes if node in wanted]


def plan(trace: Trace) -> Plan:
    """Sort the nodes of a trace. Raises NotFusable where one has no place."""
    result = Plan(trace)
    nodes = [node for node in trace.graph.nodes if node.op == "call_function"]
    x, state, gradient, carried = {trace.x}, set(trace.state), {trace.grad_y, *trace.grad_state}, set(trace.grad_state)
    rowwise = reached_from(nodes, x | state | gradient)
    stateful = reached_from(nodes, state)
    backward = reached_from(nodes, gradient)
    result.fixed = [node for node in nodes if node not in rowwise and node.target not in ops.CONSTANTS]
    spread = {node for node in result.fixed if has_rows(node, trace.rows)}  # a parameter, once for each sequence
    rowwise |= spread | reached_from(nodes, spread)
    result.fixed = [node for node in result.fixed if node not in rowwise]
    contracted = {node for node in nodes if node in rowwise and not has_rows(node, trace.rows)}
    beyond = reached_from(nodes, contracted) | contracted  # sums over the batch, and what follows from them

    proper = ancestors([trace.y, *trace.next_state], rowwise)
    way = [node for node in nodes if node in rowwise and node not in backward]
    derived = {node for node in way if node in beyond and node not in proper}  # x transposed, for a weight's gradient
    way = [node for node in way if node not in derived]
    if any(node in beyond for node in way if not is_list(node)):
        first = next(node for node in way if node in beyond and not is_list(node))
        raise NotFusable(f"{first.target} mixes the sequences of a batch", first)
    early = {node for node in way if node not in stateful}
    result.before = [n for n in way if n in ancestors([p for p in early if p.target in ops.PRODUCTS], early)]
    feeding = ancestors([n for n in trace.next_state if isinstance(n, fx.Node)], set(way))
    only_y = [node for node in way if node not in feeding and node not in result.before]
    late = reached_from(only_y, {n for n in only_y if n.target in ops.PRODUCTS})
    late |= {n for n in only_y if n.target in ops.PRODUCTS}
    result.read_out = [node for node in only_y if node in late]
    taken = {*result.before, *result.read_out}
    result.forward = [node for node in way if node not in taken]

    back = [node for node in nodes if node in backward]
    reaches_carried = reached_from(back, carried)
    products = [n for n in back if n.target in ops.PRODUCTS and n not in beyond]
    early = {n for n in back if n not in reaches_carried and n not in beyond}
    feeding = ancestors(list(trace.grad_initial), set(back))
    before = ancestors([p for p in products if p in early and p in feeding], early)
    result.before_backward = [n for n in back if n in before]
    taken = set(result.before_backward)
    later = {n for n in products if n not in feeding and n not in taken}
    later |= reached_from(back, later)
    result.after = [n for n in nodes if n in derived or (n in backward and (n in beyond or n in later))]
    result.after = [n for n in result.after if n not in taken]
    taken |= set(result.after)
    result.backward = [node for node in back if node not in taken]
    if bad := [node for node in result.after if node in feeding]:
        raise NotFusable(f"{bad[0].target} feeds a sum over the batch back into the state's gradient", bad[0])
    for node in (*result.before, *result.read_out, *result.before_backward, *result.after):
        if node not in beyond:
            check(node)
    keep_for_the_way_back(result)
    inside = set(result.backward)
    result.totals = [node for node in result.after if ops.is_total(node) and node.all_input_nodes[0] in inside]
    result.after = [node for node in result.after if node not in result.totals]
    return result


def keep_for_the_way_back(result: Plan) -> None:
    """Choose what the forward loop saves: costly values that the way back needs; cheap ones are computed again."""
    trace = result.trace
    way = [*result.forward, *result.read_out]
    proper = ancestors([*trace.next_state, trace.y], set(way))
    again = {node for node in way if node not in proper}  # only derivatives ask for these
    there = {trace.x, *trace.state, *trace.next_state, *result.before}
    back = [*(n for n in way if n in again), *result.before_backward, *result.backward, *result.after]
    needed = {arg for node in back for arg in node.all_input_nodes if arg in proper and arg not in there}
    saved: set[fx.Node] = set()
    for node in reversed(way):
        if node not in needed:
            continue
        inputs = {arg for arg in node.all_input_nodes if arg in proper and arg not in there}
        cheap = node.target not in ops.COSTLY | ops.PRODUCTS and node.target not in ops.ROW_SUMS
        if ops.is_mask(node) or is_list(node) or (cheap and inputs <= needed):
            again.add(node)
            needed |= inputs
        else:
            saved.add(node)
    result.saved = [node for node in way if node in saved]
    result.forward = [node for node in result.forward if node in proper]
    result.read_out = [node for node in result.read_out if node in proper]
    repeat = [node for node in way if node in again]
    result.backward = repeat_where_used(repeat, result.backward)
    result.before_backward = repeat_where_used(repeat, result.before_backward)
    result.after = repeat_where_used(repeat, result.after)


def repeat_where_used(repeat: list[fx.Node], nodes: list[fx.Node]) -> list[fx.Node]:
    """`nodes` with those of `repeat` before them that they need."""
    wanted = ancestors([arg for node in nodes for arg in node.all_input_nodes], set(repeat))
    return [node for node in repeat if node in wanted] + nodes


def reached_from(nodes: Iterable[fx.Node], sources: set[fx.Node]) -> set[fx.Node]:
    """The nodes that depend on one of `sources`; `nodes` in the order of the graph."""
    reached: set[fx.Node] = set()
    for node in nodes:
        if any(arg in sources or arg in reached for arg in node.all_input_nodes):
            reached.add(node)
    return reached


def ancestors(targets: Iterable[fx.Node], among: set[fx.Node]) -> set[fx.Node]:
    """`targets` and all they depend on, as far as these are `among`."""
    found: set[fx.Node] = set()
    stack = [node for node in targets if node in among]
    while stack:
        node = stack.pop()
        if node not in found:
            found.add(node)
            stack += [arg for arg in node.all_input_nodes if arg in among]
    return found


def has_rows(node: fx.Node, rows: int) -> bool:
    if node.target in ops.SPLITS:
        return has_rows(node.all_input_nodes[0], rows)
    sizes = shape(node)
    return bool(sizes) and sizes[0] == rows


def is_list(node: fx.Node) -> bool:
    """A node whose value is a list of tensors, which getitem takes apart."""
    return node.target in ops.SPLITS
