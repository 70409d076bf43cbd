"""The user's step as a graph: forward and backward of one step, by torch's own tracer and autograd.

`make_fx` runs the step and its vector-Jacobian product once on small random tensors and writes down every ATen
operation, decomposed into primitive ones. Nothing here knows any cell, and no cell has a derivative of its own.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Self

import torch
from torch import Tensor, fx, nn
from torch._decomp import core_aten_decompositions, get_decompositions
from torch.func import functional_call, functionalize, vjp
from torch.fx.experimental.proxy_tensor import make_fx

from timeloom.scan import ops
from timeloom.scan.agree import check_equal, numbers_in, unusual_size
from timeloom.scan.allowed import NotFusable
from timeloom.scan.cell import Cell, checked_step
from timeloom.scan.simplify import simplify, spell_out_numbers
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
    """Trace one step of `cell`. Raises NotTraceable or NotFusable. The state of the random numbers stays as it was.

    Two traces, of batches of two sizes, must be equal: what computes with the size of the batch, or with a number that
    changes from call to call, is found by that. The second size is one that the first trace has nowhere, so that where
    it stands it is the batch and nothing else.
    """
    with torch.random.fork_rng(devices=[]):
        other = Written.of(cell, dtype, all_states, unusual_size([cell.input_size, cell.output_size]))
        found = Written.of(cell, dtype, all_states, unusual_size(numbers_in(other.module.graph)))
    check_equal(found.module.graph, found.rows, other.module.graph, other.rows)
    return found.as_trace(cell, dtype)


@dataclass(frozen=True)
class Written:
    """One step, forward and backward, as the tracer wrote it down."""

    module: fx.GraphModule
    rows: int
    fields: int
    parameters: list[str]
    buffers: list[str]

    @classmethod
    def of(cls, cell: Cell, dtype: torch.dtype, all_states: bool, rows: int) -> Self:
        # The tracer puts tensors of its own in the place of the parameters; a person's cell shall never see them.
        cell, original = twin(cell), cell
        refuse_states(cell, dtype)
        step = Step(cell, all_states)
        parameters = {name: p.detach().to(dtype) for name, p in step.named_parameters()}
        buffers = {name: b.detach() for name, b in step.named_buffers()}
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
            raise NotTraceable(reason_of(error)) from error
        if wrote := attribute_written(cell, original):
            raise NotTraceable(f"its step writes to {wrote}, and in a kernel Python code runs but once")
        spell_out_numbers(module)
        if unknown := [node for node in module.graph.nodes if node.op == "get_attr"]:
            name = name_of_tensor(original, getattr(module, unknown[0].target))
            raise NotTraceable(f"its step uses {name}, which is neither parameter nor buffer; register it as a buffer")
        return cls(module, rows, len(state), list(parameters), list(buffers))

    def as_trace(self, cell: Cell, dtype: torch.dtype) -> Trace:
        """The graph, made simpler, with its inputs and outputs by name."""
        graph, S, P = self.module.graph, self.fields, len(self.parameters)
        refuse_chance(graph)
        simplify(graph)
        check_types(graph, dtype, self.rows)
        inputs = [node for node in graph.nodes if node.op == "placeholder"]
        outputs = list(next(iter(reversed(graph.nodes))).args[0])
        fixed_names = [*self.parameters, *self.buffers]
        at_fixed = 1 + S
        at_grad = at_fixed + len(fixed_names)
        rename(graph, dict(zip(inputs[at_fixed:at_grad], fixed_names, strict=True)))
        return Trace(
            graph=graph,
            rows=self.rows,
            x=inputs[0],
            state=tuple(inputs[1:at_fixed]),
            fixed=dict(zip(fixed_names, inputs[at_fixed:at_grad], strict=True)),
            grad_y=inputs[at_grad],
            grad_state=tuple(inputs[at_grad + 1 :]),
            y=outputs[0],
            next_state=tuple(outputs[1 : 1 + S]),
            grad_x=outputs[1 + S],
            grad_initial=tuple(outputs[2 + S : 2 + 2 * S]),
            grad_parameters=dict(zip(self.parameters, outputs[2 + 2 * S : 2 + 2 * S + P], strict=True)),
        )


def refuse_states(cell: Cell, dtype: torch.dtype) -> None:
    """Raise unless every field of the state is (B, width) of the type of the step."""
    for name, field in zip(cell.State._fields, cell.initial_state(1), strict=True):
        if field.dim() != 2 or field.dtype != dtype:
            raise NotTraceable(
                f"the field {name} of its state is {tuple(field.shape)} of {field.dtype}, not (B, width) of {dtype}"
            )


def reason_of(error: Exception) -> str:
    """Why the tracer gave up, in a person's words, with the line of their file."""
    first = str(error).splitlines()[0] if str(error) else repr(error)
    if "_local_scalar_dense" in first:
        first = "it asks for the number in a tensor (by if, while, int, float or item); torch.where keeps it in tensors"
    at = place_of_error(error)
    return f"its step cannot be traced: {first}" + (f"\n  {at}" if at else "")


def rename(graph: fx.Graph, parameters: dict[fx.Node, str]) -> None:
    """Give parameters and their transposes the names that the cell has for them."""
    for node, name in parameters.items():
        plain = name.removeprefix("cell.").replace(".", "_")
        node._rename(plain)
        for user in node.users:
            if user.target is aten.permute.default:
                user._rename(f"{plain}_transposed")


def refuse_chance(graph: fx.Graph) -> None:
    """Raise NotFusable for random numbers, which each step must draw anew."""
    for node in graph.nodes:
        if torch.Tag.nondeterministic_seeded in getattr(node.target, "tags", ()):
            raise NotFusable(
                f"its step draws random numbers ({node.target}); draw them before the scan and give them with x", node
            )


def check_types(graph: fx.Graph, dtype: torch.dtype, rows: int) -> None:
    """Raise NotFusable where a step computes in another type than its own, but for masks.

    What has no axis of the batch is done by torch, once for each call, in whatever type it likes.
    """
    for node in graph.nodes:
        value = node.meta.get("val")
        if (
            node.op == "call_function"
            and isinstance(value, Tensor)
            and value.dtype not in (dtype, torch.bool)
            and rows in value.shape
            and node.target not in ops.CONSTANTS
        ):
            maker = node.args[0] if node.target is operator.getitem else node
            raise NotFusable(f"its step computes in {value.dtype} beside {dtype} ({maker.target})", maker)
