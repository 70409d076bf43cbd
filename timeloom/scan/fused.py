"""A cell as a native kernel: traced, planned, written, built; and run as one differentiable operation."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, fx

from timeloom.core import Padded, step_mask
from timeloom.scan.build import build, native_text, threads
from timeloom.scan.bulk import run_nodes
from timeloom.scan.cell import Cell
from timeloom.scan.ops import shape
from timeloom.scan.plan import Plan, plan
from timeloom.scan.render.cpp import Kernel, Writer
from timeloom.scan.schedule import Place, schedule, width_of
from timeloom.scan.trace import trace


@dataclass(frozen=True)
class Loop:
    """One rendered loop and what surrounds it: which arrays it takes, in order, and which of them it fills."""

    kernel: Kernel
    arrays: dict[str, int]  # width by name
    filled: dict[str, fx.Node]  # arrays the loop writes, but for the states


class Fused:
    """The kernel of one cell for one number type. Built when first asked for."""

    def __init__(self, cell: Cell, dtype: torch.dtype):
        self.name = type(cell).__name__
        self.dtype = dtype
        self.plan: Plan = plan(trace(cell, dtype))
        kind = type(cell.initial_state(1))
        self.fields: tuple[str, ...] = kind._fields
        self.kind = kind
        self.infer = self.forward_loop("infer", keep=False)
        self.train = self.forward_loop("train", keep=True)
        self.back = self.backward_loop()

    # ------------------------------------------------------------------------------------------------ loops

    @property
    def state_widths(self) -> list[int]:
        return [width_of(node) for node in self.plan.trace.state]

    def forward_loop(self, name: str, keep: bool) -> Loop:
        p, t = self.plan, self.plan.trace
        memory: dict[fx.Node, Place] = {}
        arrays: dict[str, int] = {}
        self.inputs(p.inputs_of(p.forward), {t.x, *p.before}, memory, arrays)
        outputs: list[tuple[fx.Node, Place]] = []
        for field, width, before, after in zip(self.fields, self.state_widths, t.state, t.next_state, strict=True):
            arrays[field] = width
            memory[before] = Place(field, width)
            outputs.append((after, Place(field, width, shift=1)))
        filled: dict[str, fx.Node] = {}
        forward = set(p.forward)
        wanted = [*(p.saved if keep else ()), *p.inputs_of(p.read_out), t.y]
        for node in wanted:
            if node in forward and node not in t.next_state and str(node) not in filled:
                arrays[str(node)] = width_of(node)
                outputs.append((node, Place(str(node), width_of(node))))
                filled[str(node)] = node
        order = schedule(p.forward, memory, outputs)
        kernel = Writer(name, order, arrays, [], backward=False).kernel()
        return Loop(kernel, arrays, filled)

    def backward_loop(self) -> Loop:
        p, t = self.plan, self.plan.trace
        memory: dict[fx.Node, Place] = {}
        arrays: dict[str, int] = {}
        used = p.inputs_of(p.backward)
        self.inputs(used, {t.x, t.grad_y, *p.before, *p.saved, *p.before_backward}, memory, arrays)
        for field, width, before, after in zip(self.fields, self.state_widths, t.state, t.next_state, strict=True):
            for node, shift in ((before, 0), (after, 1)):
                if node in used and node not in memory:
                    memory[node] = Place(field, width, shift=shift)
                    arrays[field] = width
        carried = [(f"d_{field}", width) for field, width in zip(self.fields, self.state_widths, strict=True)]
        outputs: list[tuple[fx.Node, Place]] = []
        for (name, width), node, new in zip(carried, t.grad_state, t.grad_initial, strict=True):
            memory[node] = Place(name, width, "carried")
            outputs.append((new, Place(name, width, "next")))
        filled: dict[str, fx.Node] = {}
        inside = set(p.backward)
        for node in [*p.inputs_of(p.after), t.grad_x]:
            if node in inside:
                arrays[str(node)] = width_of(node)
                outputs.append((node, Place(str(node), width_of(node))))
                filled[str(node)] = node
        order = schedule(p.backward, memory, outputs)
        kernel = Writer("back", order, arrays, carried, backward=True).kernel()
        return Loop(kernel, arrays, filled)

    def inputs(
        self, used: list[fx.Node], lying: set[fx.Node], memory: dict[fx.Node, Place], arrays: dict[str, int]
    ) -> None:
        for node in used:
            if node in lying:
                memory[node] = Place(str(node), width_of(node))
                arrays[str(node)] = width_of(node)

    # ------------------------------------------------------------------------------------------------ code

    @cached_property
    def source(self) -> str:
        """The C++ text without scan.h."""
        loops = "\n".join(loop.kernel.text for loop in (self.infer, self.train, self.back))
        return f'// {self.name}\n#include "sweep.h"\n\nusing namespace scan;\n\n{loops}'

    @cached_property
    def library(self) -> ctypes.CDLL:
        return build(native_text(self.source, self.dtype))

    def call(
        self,
        loop: Loop,
        name: str,
        values: dict[fx.Node, Tensor],
        arrays: dict[str, Tensor],
        sizes: tuple[int, int],
        active: Tensor | None,
        carried: list[Tensor],
    ) -> None:
        kernel = loop.kernel
        vectors = [values[node].contiguous() for node in kernel.vectors]
        matrices = [values[node] for node in kernel.matrices]
        tensors = [*(arrays[n] for n in kernel.arrays), *vectors, *matrices]
        pointers = (ctypes.c_void_p * max(1, len(tensors)))(*(tensor.data_ptr() for tensor in tensors))
        strides = (ctypes.c_int64 * max(1, 2 * len(matrices)))(*(s for m in matrices for s in m.stride()))
        states = (ctypes.c_void_p * max(1, len(carried)))(*(tensor.data_ptr() for tensor in carried))
        function = getattr(self.library, f"{name}_loop")
        failed = function(
            ctypes.c_long(sizes[0]),
            ctypes.c_long(sizes[1]),
            ctypes.c_void_p(None if active is None else active.data_ptr()),
            pointers,
            strides,
            states,
            ctypes.c_int(torch.get_num_threads()),
            ctypes.byref(threads()),
        )
        if failed:
            raise MemoryError(f"{self.name}: not enough memory for a kernel's scratch space")

    # ------------------------------------------------------------------------------------------------ running

    def fixed_values(self, parameters: tuple[Tensor, ...]) -> dict[fx.Node, Any]:
        t = self.plan.trace
        values: dict[fx.Node, Any] = dict(zip(t.fixed.values(), parameters, strict=True))
        run_nodes(self.plan.fixed, values, t.rows, t.rows)
        return values

    def forward(
        self, x: Tensor, state: tuple[Tensor, ...], parameters: tuple[Tensor, ...], lengths: Tensor | None, keep: bool
    ) -> tuple[Tensor, list[Tensor], dict[str, Tensor]]:
        """y (T, B, O), the last states, and every array the way back may want, by name."""
        p, t = self.plan, self.plan.trace
        T, B, _ = x.shape
        values = self.fixed_values(parameters)
        flat: dict[fx.Node, Any] = {**values, t.x: x.reshape(T * B, -1)}
        run_nodes(p.before, flat, t.rows, T * B)
        loop = self.train if keep else self.infer
        arrays: dict[str, Tensor] = {}
        for name, width in loop.arrays.items():
            if name in self.fields:
                make = x.new_empty if lengths is None else x.new_zeros
                arrays[name] = make(T + 1, B, width)
                arrays[name][0] = state[self.fields.index(name)]
            elif name in loop.filled:
                make = x.new_empty if lengths is None else x.new_zeros
                arrays[name] = make(T, B, width)
        by_name = {str(node): value for node, value in flat.items()}
        for name in loop.arrays:
            if name not in arrays:
                arrays[name] = by_name[name].contiguous()
        active = None if lengths is None else active_rows(lengths, T)
        self.call(loop, "train" if keep else "infer", values, arrays, (T, B), active, [])
        if lengths is None:
            last = [arrays[field][T].clone() for field in self.fields]
        else:
            row = torch.arange(B)
            last = [arrays[field][lengths, row] for field in self.fields]
        self.lying(flat, arrays, T * B, loop)
        run_nodes(p.read_out, flat, t.rows, T * B)
        y = self.whole(flat, t.y, T, B)
        if t.y in p.read_out and lengths is not None:
            y = torch.where((torch.arange(T)[:, None] < lengths)[:, :, None], y, y.new_zeros(()))
        if keep:
            for node in p.before:
                if node in p.inputs_of([*p.backward, *p.after, *p.before_backward]):
                    arrays[str(node)] = flat[node]
            for node in p.saved:
                if node in p.read_out:
                    arrays[str(node)] = flat[node]
        return y, last, arrays

    def lying(self, flat: dict[fx.Node, Any], arrays: dict[str, Tensor], rows: int, loop: Loop) -> None:
        """Put what the loop wrote, and the states before and after each step, under their nodes."""
        t = self.plan.trace
        for field, before, after in zip(self.fields, t.state, t.next_state, strict=True):
            if field in arrays:
                flat.setdefault(before, arrays[field][:-1].reshape(rows, -1))
                flat.setdefault(after, arrays[field][1:].reshape(rows, -1))
        for name, node in loop.filled.items():
            flat[node] = arrays[name].reshape(rows, *shape(node)[1:])

    def whole(self, flat: dict[fx.Node, Any], node: fx.Node, T: int, B: int) -> Tensor:
        return flat[node].reshape(T, B, -1)

    def backward(
        self,
        x: Tensor,
        parameters: tuple[Tensor, ...],
        lengths: Tensor | None,
        arrays: dict[str, Tensor],
        grad_y: Tensor,
        grad_last: list[Tensor],
    ) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """Gradients of x, the initial states and the parameters."""
        p, t = self.plan, self.plan.trace
        T, B, _ = x.shape
        if lengths is not None:  # what stands after an end is not an output, so no gradient comes from there
            grad_y = torch.where((torch.arange(T)[:, None] < lengths)[:, :, None], grad_y, 0)
        values = self.fixed_values(parameters)
        flat: dict[fx.Node, Any] = {**values, t.x: x.reshape(T * B, -1), t.grad_y: grad_y.reshape(T * B, -1)}
        self.lying(flat, arrays, T * B, self.train)
        names = {str(node): node for node in (*p.before, *p.saved)}
        for name, node in names.items():
            if name in arrays:
                flat[node] = arrays[name].reshape(T * B, *shape(node)[1:])
        run_nodes(p.before_backward, flat, t.rows, T * B)
        mine: dict[str, Tensor] = {}
        by_name = {str(node): value for node, value in flat.items()}
        for name, width in self.back.arrays.items():
            if name in self.back.filled:
                mine[name] = (x.new_empty if lengths is None else x.new_zeros)(T, B, width)
            elif name in self.fields:
                mine[name] = arrays[name]
            else:
                mine[name] = by_name[name].contiguous()
        active = None if lengths is None else active_rows(lengths, T)
        initial = [torch.empty_like(g) for g in grad_last]
        carried = [part for pair in zip(grad_last, initial, strict=True) for part in pair]
        self.call(self.back, "back", values, mine, (T, B), active, carried)
        for name, node in self.back.filled.items():
            flat[node] = mine[name].reshape(T * B, *shape(node)[1:])
        run_nodes(p.after, flat, t.rows, T * B)
        grad_x = flat[t.grad_x] if t.grad_x in flat else torch.zeros_like(x)
        found = [flat.get(node) for node in t.grad_parameters.values()]
        return grad_x.reshape(T, B, -1), initial, found  # type: ignore[return-value]


class Scan(torch.autograd.Function):
    """The fused loop as a differentiable operation: (x, states..., parameters...) → (y, last states...)."""

    @staticmethod
    def forward(ctx: Any, fused: Fused, lengths: Tensor | None, count: int, x: Tensor, *rest: Tensor) -> Any:
        state, parameters = rest[:count], rest[count:]
        keep = any(ctx.needs_input_grad)
        y, last, arrays = fused.forward(x, state, parameters, lengths, keep)
        if keep:
            ctx.fused, ctx.lengths, ctx.count, ctx.names = fused, lengths, count, list(arrays)
            ctx.save_for_backward(x, *parameters, *arrays.values())
        return (y, *last)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        if torch.is_grad_enabled():  # create_graph=True
            raise RuntimeError(
                f"{ctx.fused.name}: the kernel has no second derivative.\n"
                "  Run the scan inside `with timeloom.scan.plain_loop():`, which has."
            )
        grad_y, *grad_last = gradients
        fused: Fused = ctx.fused
        x, *saved = ctx.saved_tensors
        parameters = tuple(saved[: len(fused.plan.trace.fixed)])
        arrays = dict(zip(ctx.names, saved[len(parameters) :], strict=True))
        grad_x, initial, found = fused.backward(
            x, parameters, ctx.lengths, arrays, grad_y.contiguous(), [g.contiguous() for g in grad_last]
        )
        rest = [None] * (len(parameters) - len(found))  # buffers
        return (None, None, None, grad_x, *initial, *found, *rest)


def run_fused(
    fused: Fused,
    cell: Cell,
    x: Tensor,
    state: Any,
    lengths: Tensor | None = None,
    reverse: bool = False,
) -> tuple[Tensor, Any]:
    """What `loop.run` does, by the kernel: y (T, B, O) and the final State."""
    T = len(x)
    order = None
    if lengths is not None:
        lengths = lengths.long()
        x = torch.where(step_mask(lengths, T).t()[..., None], x, 0)  # for the reason that stands in loop.run
        if bool((lengths[1:] > lengths[:-1]).any()):
            order = lengths.argsort(descending=True, stable=True)
            lengths, x = lengths[order], x[:, order]
            state = tuple(field[order] for field in state)
    if reverse:
        x = backwards(x, lengths)
    parameters = [*cell.parameters(), *cell.buffers()]
    y, *last = Scan.apply(fused, lengths, len(state), x, *state, *parameters)
    if reverse:
        y = backwards(y, lengths)
    if order is not None:
        back = order.argsort()
        y, last = y[:, back], [field[back] for field in last]
    return y, cell.State(*last)


def backwards(x: Tensor, lengths: Tensor | None) -> Tensor:
    """Time-major sequences from their ends: (T, B, ...), reversed inside each length."""
    if lengths is None:
        return x.flip(0)
    return Padded(x.transpose(0, 1), lengths).reverse().data.transpose(0, 1)


def active_rows(lengths: Tensor, T: int) -> Tensor:
    """How many of the rows, sorted by falling length, have not ended at each step: (T,), int64."""
    return (lengths[:, None] > torch.arange(T)).sum(0)
