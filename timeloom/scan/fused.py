"""A cell as a native kernel: traced, planned, written and built; and its two ways, forward and back, on tensors."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, fx

from timeloom.scan.allowed import width_of
from timeloom.scan.build import threads
from timeloom.scan.bulk import actual, empty, run_nodes
from timeloom.scan.cell import Cell
from timeloom.scan.kernels import Loop, array_of, back_loop, forward_loop
from timeloom.scan.native import load_kernel
from timeloom.scan.ops import shape
from timeloom.scan.plan import Plan, ancestors, plan
from timeloom.scan.readable import resolved
from timeloom.scan.rows import Rows
from timeloom.scan.trace import trace


class Batch(ctypes.Structure):
    """The `batch` of loop.h."""

    _fields_ = [
        ("T", ctypes.c_long),
        ("B", ctypes.c_long),
        ("actives", ctypes.c_void_p),
        ("starts", ctypes.c_void_p),
        ("order", ctypes.c_void_p),
        ("reverse", ctypes.c_bool),
        ("once", ctypes.c_bool),
    ]


class Fused:
    """The kernel of one cell for one number type. Built when first asked for.

    With `all_states` a step emits the new states, too, side by side after what the cell emits.
    """

    def __init__(self, cell: Cell, dtype: torch.dtype, all_states: bool = False):
        self.name = type(cell).__name__
        self.dtype = dtype
        self.plan: Plan = plan(trace(cell, dtype, all_states))
        self.fields: tuple[str, ...] = type(cell.initial_state(1))._fields
        self.infer = forward_loop(self.plan, self.fields, "infer", keep=False)
        self.train = forward_loop(self.plan, self.fields, "train", keep=True)
        self.back = back_loop(self.plan, self.fields)
        self.wanted: dict[Any, list[fx.Node]] = {}  # what comes after the loop back, by the gradients asked for

    @cached_property
    def source(self) -> str:
        """The C++ text without the headers."""
        loops = "\n".join(loop.kernel.text for loop in (self.infer, self.train, self.back))
        return f'// {self.name}\n#include "loop.h"\n\nusing namespace scan;\n\n{loops}'

    @cached_property
    def library(self) -> ctypes.CDLL:
        return load_kernel(self.source, self.dtype)

    @cached_property
    def kept(self) -> list[tuple[str, int, bool]]:
        """What `forward` keeps for the way back, in order: name, width, and whether it holds states."""
        p = self.plan
        used = {*p.inputs_of([*p.backward, *p.after, *p.before_backward]), *p.saved}
        arrays = self.train.arrays
        states = [(array_of(field), arrays[array_of(field)], True) for field in self.fields]
        return states + [(name, width_of(node), False) for name, node in self.by_name.items() if node in used]

    @cached_property
    def by_name(self) -> dict[str, fx.Node]:
        """The nodes that can be kept, but for states."""
        p = self.plan
        return {str(node): node for node in (*p.before, *p.read_out, *self.train.filled.values())}

    @property
    def output_width(self) -> int:
        return width_of(self.plan.trace.y)

    # ------------------------------------------------------------------------------------------------ running

    def forward(
        self,
        x: Tensor,
        state: Sequence[Tensor],
        parameters: Sequence[Tensor],
        rows: Rows,
        *,
        reverse: bool,
        keep: bool,
        once: bool = False,
    ) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """y (T, B, O), the last states, and what `kept` names. `once`: a single step, not worth packing weights for."""
        p, t = self.plan, self.plan.trace
        (x, *state), parameters = resolved((x, *state)), resolved(parameters)
        loop = self.train if keep else self.infer
        flat = self.fixed_values(parameters)
        flat[t.x] = rows.packed(x)
        run_nodes([node for node in p.before if node not in loop.staged], flat, t.rows, rows.count, once)
        arrays = {str(node): value for node, value in flat.items() if str(node) in loop.arrays}
        for name in loop.filled:
            arrays[name] = empty((rows.count, loop.arrays[name]), x)
        for name in map(array_of, self.fields):
            if name in loop.arrays:
                arrays[name] = empty((rows.B + rows.count, loop.arrays[name]), x)
        last = [field.new_empty(field.shape) for field in state]
        self.call("train" if keep else "infer", loop, flat, arrays, rows, (state, last), reverse, once)
        self.lay(flat, arrays, loop, rows, reverse)
        run_nodes(p.read_out, flat, t.rows, rows.count, once)
        names = [name for name, *_ in self.kept] if keep else []
        kept = [arrays[name] if name in arrays else flat[self.by_name[name]] for name in names]
        y = rows.padded(actual(t.y, flat, t.rows, rows.count))
        return y.clone() if t.y is t.x else y, last, kept  # what comes out is the caller's to write to

    def backward(
        self,
        x: Tensor,
        parameters: Sequence[Tensor],
        rows: Rows,
        kept: Sequence[Tensor],
        grad_y: Tensor,
        grad_last: Sequence[Tensor],
        *,
        reverse: bool,
        wanted: tuple[bool, ...],
    ) -> tuple[Tensor | None, list[Tensor], list[Tensor | None]]:
        """Gradients of x, the initial states and the parameters; `wanted`: x's, then each parameter's."""
        p, t = self.plan, self.plan.trace
        (x, grad_y, *grad_last), parameters = resolved((x, grad_y, *grad_last)), resolved(parameters)
        flat = self.fixed_values(parameters)
        flat[t.x], flat[t.grad_y] = rows.packed(x), rows.packed(grad_y)
        saved = {name: tensor for (name, *_), tensor in zip(self.kept, kept, strict=True)}
        flat.update({self.by_name[name]: tensor for name, tensor in saved.items() if name in self.by_name})
        self.lay_states(flat, saved, rows, reverse)
        run_nodes(p.before_backward, flat, t.rows, rows.count)
        by_name = {str(node): value for node, value in flat.items()}
        arrays: dict[str, Tensor] = {}
        for name, width in self.back.arrays.items():
            if name in self.back.filled:
                arrays[name] = empty((rows.count, width), x)
            else:
                arrays[name] = saved[name] if name in saved else by_name[name]
        initial = [gradient.new_empty(gradient.shape) for gradient in grad_last]
        totals = {node: x.new_empty(shape(node)) for node in self.back.totals}
        arrays |= {str(node): total for node, total in totals.items()}
        self.call("back", self.back, flat, arrays, rows, (grad_last, initial), reverse)
        flat |= totals
        self.lay(flat, arrays, self.back, rows, reverse)
        run_nodes(self.after(wanted), flat, t.rows, rows.count)
        grad_x = None
        if wanted[0]:
            grad_x = rows.padded(flat[t.grad_x]) if t.grad_x in flat else torch.zeros_like(x)
        gradients = zip(t.grad_parameters.values(), wanted[1:], strict=False)
        return grad_x, initial, [flat.get(node) if want else None for node, want in gradients]

    def fixed_values(self, parameters: Sequence[Tensor]) -> dict[fx.Node, Any]:
        """What depends on parameters alone."""
        t = self.plan.trace
        values: dict[fx.Node, Any] = dict(zip(t.fixed.values(), parameters, strict=True))
        run_nodes(self.plan.fixed, values, t.rows, t.rows)
        return values

    def after(self, wanted: tuple[bool, ...]) -> list[fx.Node]:
        """Of what comes after the loop back, what the gradients asked for need."""
        if wanted not in self.wanted:
            p, t = self.plan, self.plan.trace
            gradients = [t.grad_x, *t.grad_parameters.values()]
            found = ancestors([g for g, want in zip(gradients, wanted, strict=False) if want], set(p.after))
            self.wanted[wanted] = [node for node in p.after if node in found]
        return self.wanted[wanted]

    def lay(self, flat: dict[fx.Node, Any], arrays: dict[str, Tensor], loop: Loop, rows: Rows, reverse: bool) -> None:
        """Put what the loop wrote under its nodes."""
        self.lay_states(flat, arrays, rows, reverse)
        for name, node in loop.filled.items():
            flat[node] = arrays[name].view(rows.count, *shape(node)[1:])

    def lay_states(self, flat: dict[fx.Node, Any], arrays: dict[str, Tensor], rows: Rows, reverse: bool) -> None:
        """Put the states before and after each step under their nodes, where something else than a loop needs them."""
        t = self.plan.trace
        for field, before, after in zip(self.fields, t.state, t.next_state, strict=True):
            states = arrays.get(array_of(field))
            if states is None:
                continue
            if before in self.bulk and before not in flat:
                flat[before] = rows.before(states, reverse)
            if after in self.bulk and after not in flat:
                flat[after] = rows.after(states, reverse)

    @cached_property
    def bulk(self) -> set[fx.Node]:
        """What is used by the parts that run over all steps at once, or returned by them."""
        p = self.plan
        return {*p.inputs_of([*p.read_out, *p.before_backward, *p.after]), p.trace.y}

    def call(
        self,
        name: str,
        loop: Loop,
        values: dict[fx.Node, Tensor],
        arrays: dict[str, Tensor],
        rows: Rows,
        states: tuple[Sequence[Tensor], Sequence[Tensor]],
        reverse: bool,
        once: bool = False,
    ) -> None:
        """Run a native loop; `states` come in by the first tensors and go out by the second."""
        kernel = loop.kernel
        matrices = [values[node] for node in kernel.matrices]
        tensors = [arrays[name].contiguous() for name in kernel.arrays]
        tensors += [values[node].to(self.dtype).contiguous() for node in kernel.vectors]
        tensors += matrices
        for came, goes in zip(*states, strict=True):
            tensors += (came.contiguous(), goes)
        pointers = (ctypes.c_void_p * len(tensors))(*(tensor.data_ptr() for tensor in tensors))
        strides = (ctypes.c_int64 * max(1, 2 * len(matrices)))(*(s for m in matrices for s in m.stride()))
        batch = Batch(rows.steps, rows.B, None, None, None, reverse, once)
        if rows.ragged is not None:
            batch.actives = rows.ragged.actives.data_ptr()
            batch.starts = rows.ragged.starts.data_ptr()
            batch.order = rows.ragged.order.data_ptr()
        failed = getattr(self.library, f"{name}_loop")(
            ctypes.byref(batch), pointers, strides, ctypes.c_int(torch.get_num_threads()), ctypes.byref(threads())
        )
        if failed:
            raise MemoryError(f"{self.name}: not enough memory for a kernel's scratch space")
