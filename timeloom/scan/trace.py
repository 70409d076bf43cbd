"""The user's step as a graph: forward and backward of one step, by torch's own tracer and autograd.

`make_fx` runs the step and its vector-Jacobian product once on small random tensors and writes down every ATen
operation, decomposed into primitive ones. Nothing here knows any cell, and no cell has a derivative of its own.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch._decomp import core_aten_decompositions, get_decompositions
from torch.func import functional_call, functionalize, vjp
from torch.fx.experimental.proxy_tensor import make_fx

from timeloom.scan import ops
from timeloom.scan.allowed import NotFusable
from timeloom.scan.cell import Cell, checked_step
from timeloom.scan.ops import is_mask, shape
from timeloom.scan.twin import attribute_written, name_of_tensor, twin
from timeloom.scan.whereabouts import place_of_error

aten = torch.ops.aten
FURTHER = [  # core ATen keeps these whole; the kernel wants their parts
    aten._softmax,
    aten._log_softmax,
    aten.native_layer_norm,
    aten.gelu,
    aten.leaky_relu,
    aten.elu,
    aten.hardtanh,
    aten.softplus,
    aten.silu,
    aten.log_sigmoid_forward,
    aten.logsumexp,
    aten.mean,
    aten.var,
    aten.var_mean,
    aten.addmm,
    aten.rsub,
    aten.addcmul,
    aten.addcdiv,
    aten.lerp,
    aten.hardsigmoid,
    aten.hardswish,
    aten.mish,
    aten.threshold_backward,
    aten.select_backward,
    aten.slice_backward,
    aten.detach,
    aten.square,
    aten.t,
    aten.chunk,
]


LIKE = {aten.full_like.default: None, aten.zeros_like.default: 0, aten.ones_like.default: 1}
SIZED = {*ops.CONSTANTS, *ops.RESHAPES, aten.arange.start_step, aten.slice.Tensor, aten.slice_scatter.default}


@cache
def decompositions() -> dict[Any, Callable[..., Any]]:
    """How torch's operations are made of primitive ones."""
    return {**core_aten_decompositions(), **get_decompositions(FURTHER)}


class NotTraceable(Exception):
    """The step cannot be written down as one graph; the message says why, for a person."""


@dataclass(frozen=True)
class Trace:
    """One step forward and backward. Every node that depends on x or the state has `rows` as its first axis."""

    graph: fx.Graph
    rows: int
    x: fx.Node
    state: tuple[fx.Node, ...]
    fixed: dict[str, fx.Node]  # parameters and buffers, by name
    grad_y: fx.Node
    grad_state: tuple[fx.Node, ...]
    y: fx.Node
    next_state: tuple[fx.Node, ...]
    grad_x: fx.Node
    grad_initial: tuple[fx.Node, ...]
    grad_parameters: dict[str, fx.Node]


class Step(nn.Module):
    """A cell's `step` as a module's forward, for `functional_call`; with `all_states` it emits the new states, too."""

    def __init__(self, cell: Cell, all_states: bool):
        super().__init__()
        self.cell, self.all_states = cell, all_states

    def forward(self, x: Tensor, *state: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        kind = type(self.cell.initial_state(1))
        y, new = checked_step(self.cell, x, kind(*state))
        return torch.cat([y, *new], -1) if self.all_states else y, tuple(new)


def trace(cell: Cell, dtype: torch.dtype, all_states: bool = False) -> Trace:
    """Trace one step of `cell`. Raises NotTraceable or NotFusable. The state of the random numbers stays as it was."""
    with torch.random.fork_rng(devices=[]):
        return trace_step(cell, dtype, all_states)


def trace_step(cell: Cell, dtype: torch.dtype, all_states: bool) -> Trace:
    # The tracer puts tensors of its own in the place of the parameters; a person's cell shall never see them.
    cell, original = twin(cell), cell
    if wrong := [field for field in cell.initial_state(1) if field.dim() != 2 or field.dtype != dtype]:
        raise NotTraceable(
            f"a field of its state is {tuple(wrong[0].shape)} of {wrong[0].dtype}, not (B, width) of {dtype}"
        )
    step = Step(cell, all_states)
    parameters = {name: p.detach().to(dtype) for name, p in step.named_parameters()}
    buffers = {name: b.detach() for name, b in step.named_buffers()}
    rows = unusual_size([*parameters.values(), *buffers.values(), *cell.initial_state(1)], cell)
    x = torch.rand(rows, cell.input_size, dtype=dtype)
    state = tuple(field.detach().to(dtype) + 0.1 for field in cell.initial_state(rows))

    def joint(x: Tensor, state: Any, parameters: Any, buffers: Any, grad_y: Tensor, grad_state: Any) -> Any:
        def forward(x: Tensor, state: Any, parameters: Any) -> Any:
            return functional_call(step, {**parameters, **buffers}, (x, *state))

        (y, new), backward = vjp(forward, x, state, parameters)[:2]
        return y, new, backward((grad_y, grad_state))

    width = cell.output_size + (sum(field.shape[1] for field in state) if all_states else 0)
    grad_y = torch.rand(rows, width, dtype=dtype)
    grad_state = tuple(torch.rand_like(field) for field in state)
    try:
        module = make_fx(functionalize(joint), decomposition_table=decompositions())(
            x, state, parameters, buffers, grad_y, grad_state
        )
    except Exception as error:
        first = str(error).splitlines()[0] if str(error) else repr(error)
        if "_local_scalar_dense" in first:
            first = (
                "it asks for the number in a tensor (by if, while, int, float or item); torch.where keeps it in tensors"
            )
        at = place_of_error(error)
        raise NotTraceable(f"its step cannot be traced: {first}" + (f"\n  {at}" if at else "")) from error
    graph = module.graph
    if written := attribute_written(cell, original):
        raise NotTraceable(f"its step writes to {written}, and in a kernel Python code runs but once")
    spell_out_numbers(module)
    if unknown := [node for node in graph.nodes if node.op == "get_attr"]:
        name = name_of_tensor(original, getattr(module, unknown[0].target))
        raise NotTraceable(f"its step uses {name}, which is neither parameter nor buffer; register it as a buffer")
    refuse_what_differs_from_call_to_call(graph, rows)
    simplify(graph)
    check_types(graph, dtype)
    inputs = [node for node in graph.nodes if node.op == "placeholder"]
    outputs = list(next(iter(reversed(graph.nodes))).args[0])
    S, P = len(state), len(parameters)
    fixed_names = [*parameters, *buffers]
    at_fixed = 1 + S
    at_grad = at_fixed + len(fixed_names)
    rename(graph, dict(zip(inputs[at_fixed:at_grad], fixed_names, strict=True)))
    return Trace(
        graph=graph,
        rows=rows,
        x=inputs[0],
        state=tuple(inputs[1:at_fixed]),
        fixed=dict(zip(fixed_names, inputs[at_fixed:at_grad], strict=True)),
        grad_y=inputs[at_grad],
        grad_state=tuple(inputs[at_grad + 1 :]),
        y=outputs[0],
        next_state=tuple(outputs[1 : 1 + S]),
        grad_x=outputs[1 + S],
        grad_initial=tuple(outputs[2 + S : 2 + 2 * S]),
        grad_parameters=dict(zip(parameters, outputs[2 + 2 * S : 2 + 2 * S + P], strict=True)),
    )


def rename(graph: fx.Graph, parameters: dict[fx.Node, str]) -> None:
    """Give parameters and their transposes the names that the cell has for them."""
    for node, name in parameters.items():
        plain = name.removeprefix("cell.").replace(".", "_")
        node._rename(plain)
        for user in node.users:
            if user.target is aten.permute.default:
                user._rename(f"{plain}_transposed")


def unusual_size(tensors: list[Tensor], cell: Cell) -> int:
    """A batch size that no other axis has, so that the batch can be told by its size."""
    taken = {size for tensor in tensors for size in tensor.shape} | {cell.input_size, cell.output_size}
    return next(prime for prime in (23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83) if prime not in taken)


def refuse_what_differs_from_call_to_call(graph: fx.Graph, rows: int) -> None:
    """Random numbers, which each step must draw anew, and the size of the batch, which a kernel cannot know."""
    for node in graph.nodes:
        if torch.Tag.nondeterministic_seeded in getattr(node.target, "tags", ()):
            raise NotFusable(
                f"its step draws random numbers ({node.target}); draw them before the scan and give them with x", node
            )
        numbers = [arg for arg in node.args if type(arg) in (int, float)]
        if node.target not in SIZED and rows in numbers:
            raise NotFusable(f"its step computes with the size of the batch ({node.target})", node)


def check_types(graph: fx.Graph, dtype: torch.dtype) -> None:
    """Raise NotFusable where a step computes in another type than its own, but for masks."""
    for node in graph.nodes:
        value = node.meta.get("val")
        if (
            node.op == "call_function"
            and isinstance(value, Tensor)
            and value.dtype not in (dtype, torch.bool)
            and node.target not in ops.CONSTANTS
        ):
            maker = node.args[0] if node.target is operator.getitem else node
            raise NotFusable(f"its step computes in {value.dtype} beside {dtype} ({maker.target})", maker)


def simplify(graph: fx.Graph) -> None:
    """Fold what the tracer leaves behind: copies that change nothing, and transposes of transposes."""
    for node in list(graph.nodes):
        if node.op != "call_function":
            continue
        if (
            node.target in (aten.alias.default, aten.clone.default, aten.detach.default)
            or (node.target is aten.expand.default and same_shape(node, node.args[0]))
            or (node.target is aten.view.default and same_shape(node, node.args[0]))
        ):
            node.replace_all_uses_with(node.args[0])
        elif node.target is aten.permute.default:
            inner = node.args[0]
            if inner.op == "call_function" and inner.target is aten.permute.default and len(inner.args[1]) == 2:
                node.replace_all_uses_with(inner.args[0])
        elif node.target in LIKE:
            number = node.args[1] if node.target is aten.full_like.default else LIKE[node.target]
            with graph.inserting_before(node):
                kind = {"dtype": node.meta["val"].dtype}
                new = graph.call_function(aten.full.default, (list(shape(node)), number), kind)
            new.meta["val"] = node.meta["val"]
            node.replace_all_uses_with(new)
        elif node.target in (aten.where.self, aten.sum.dim_IntList):
            count_in_real_numbers(graph, node)
        elif node.target is aten.mul.Tensor and is_mask(node):  # not a product of numbers
            node.target = aten.logical_and.default
        elif node.target is aten.mul.Tensor and 1 in node.args:
            other = node.args[0] if node.args[1] == 1 else node.args[1]
            if isinstance(other, fx.Node) and same_shape(node, other):
                node.replace_all_uses_with(other)
    spell_out_variances(graph)
    share_equal_nodes(graph)
    graph.eliminate_dead_code()


def count_in_real_numbers(graph: fx.Graph, node: fx.Node) -> None:
    """where(mask, 1, 0), and the sum of a mask, in the type of the step: derivatives have them in another."""
    dtype = next(iter(graph.nodes)).meta["val"].dtype
    if node.meta["val"].dtype in (dtype, torch.bool):
        return
    with graph.inserting_before(node):
        for arg in node.all_input_nodes:
            if arg.target in ops.CONSTANTS or (is_mask(arg) and node.target is aten.sum.dim_IntList):
                new = graph.call_function(aten._to_copy.default, (arg,), {"dtype": dtype})
                new.meta["val"] = arg.meta["val"].to(dtype)
                node.replace_input_with(arg, new)
    if all(arg.meta["val"].dtype in (dtype, torch.bool) for arg in node.all_input_nodes):
        node.meta["val"] = node.meta["val"].to(dtype)


def spell_out_numbers(module: fx.GraphModule) -> None:
    """Numbers that the step makes, as in torch.tensor(0.5), as constants: the tracer keeps them as tensors."""
    for node in list(module.graph.nodes):
        if node.target is aten.lift_fresh_copy.default and node.args[0].op == "get_attr":
            tensor = getattr(module, node.args[0].target)
            if tensor.numel() == 1:
                with module.graph.inserting_before(node):
                    sizes, kind = list(tensor.shape), {"dtype": tensor.dtype}
                    new = module.graph.call_function(aten.full.default, (sizes, tensor.item()), kind)
                new.meta["val"] = tensor
                node.replace_all_uses_with(new)
    module.graph.eliminate_dead_code()


def spell_out_variances(graph: fx.Graph) -> None:
    """var(x) as the mean of squared distances from the mean: two sums over a row."""
    for node in list(graph.nodes):
        if node.target is not torch.ops.prims.var.default:
            continue
        x, axes = node.args[:2]
        if list(axes) not in ([-1], [len(shape(x)) - 1]):
            continue
        correction = node.args[2] if len(node.args) > 2 else node.kwargs.get("correction", 1)
        n = shape(x)[-1]

        def call(target: Any, *args: Any, like: Any) -> fx.Node:
            new = graph.call_function(target, args)
            new.meta["val"] = like
            return new

        with graph.inserting_before(node):
            row = x.meta["val"].sum(-1, keepdim=True)
            total = call(aten.sum.dim_IntList, x, axes, True, like=row)
            mean = call(aten.div.Tensor, total, n, like=row)
            off = call(aten.sub.Tensor, x, mean, like=x.meta["val"])
            square = call(aten.mul.Tensor, off, off, like=x.meta["val"])
            squares = call(aten.sum.dim_IntList, square, axes, False, like=node.meta["val"])
            variance = call(aten.div.Tensor, squares, max(0, n - correction), like=node.meta["val"])
        node.replace_all_uses_with(variance)


def share_equal_nodes(graph: fx.Graph) -> None:
    """One node for what is computed twice, above all for what forward and backward both need."""
    seen: dict[Any, fx.Node] = {}
    for node in graph.nodes:
        if node.op == "call_function":
            key = (node.target, repr(node.args), repr(sorted(node.kwargs.items(), key=lambda item: item[0])))
            first = seen.setdefault(key, node)
            if first is not node:
                node.replace_all_uses_with(first)


def same_shape(one: fx.Node, other: Any) -> bool:
    return isinstance(other, fx.Node) and shape(one) == shape(other)
