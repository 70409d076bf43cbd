"""One step at a time, as it arrives: the kernel of a whole loop, with all but the step itself prepared."""

from __future__ import annotations

import ctypes
from typing import Any

import torch
from torch import Tensor

from timeloom.scan import ops
from timeloom.scan.build import threads
from timeloom.scan.cell import Cell
from timeloom.scan.fused import Batch, Fused
from timeloom.scan.readable import PLAIN
from timeloom.scan.rows import Rows
from timeloom.scan.watch import Watch


def step_fused(fused: Fused, watch: Watch, cell: Cell, x: Tensor, state: Any) -> tuple[Tensor, Any]:
    """One step by the kernel: x (B, I) → y (B, O) and the next State."""
    rows = Rows(1, len(x), 1, len(x))
    y, last, _ = fused.forward(x[None], state, watch.tensors, rows, reverse=False, keep=False, once=True)
    return y[0], cell.State(*last)


class Stream:
    """A cell that reads a batch of one size step by step, without gradients: its native call, ready to be made."""

    def __init__(self, fused: Fused, watch: Watch, cell: Cell, x: Tensor, state: Any):
        kernel, self.function = fused.infer.kernel, fused.library.infer_loop
        self.watch, self.kind, self.x, self.state = watch, cell.State, x.shape, [field.shape for field in state]
        self.dtype = x.dtype
        values = fused.fixed_values(watch.tensors)
        held = [values[node] for node in kernel.vectors]
        matrices = [values[node] for node in kernel.matrices]
        self.held = (held, matrices)
        self.at, self.laid = [*map(Tensor.data_ptr, watch.tensors)], [*map(Tensor.stride, watch.tensors)]
        B, t = len(x), fused.plan.trace
        places = {name: i for i, name in enumerate(kernel.arrays)}
        self.x_at, self.y_at, self.y = places.get(str(t.x)), places.get(str(t.y)), (B, cell.output_size)
        self.emits = t.next_state.index(t.y) if t.y in t.next_state else None
        self.scratch = [
            (i, torch.empty(2 * B, fused.infer.arrays[name], dtype=x.dtype))
            for name, i in places.items()
            if i not in (self.y_at, self.x_at)
        ]
        first = len(kernel.arrays) + len(held) + len(matrices)
        self.pointers = (ctypes.c_void_p * (first + 2 * len(state)))()
        for i, tensor in [*self.scratch, *enumerate([*held, *matrices], len(kernel.arrays))]:
            self.pointers[i] = tensor.data_ptr()
        strides = [stride for matrix in matrices for stride in matrix.stride()]
        self.strides = (ctypes.c_int64 * max(1, len(strides)))(*strides)
        self.first = first
        self.batch = ctypes.byref(Batch(1, B, None, None, None, False, True))

    @staticmethod
    def can(fused: Fused, watch: Watch) -> bool:
        """Whether the loop is all there is to a step, and takes parameters as they are."""
        plan, loop, values = fused.plan, fused.infer, fused.fixed_values(watch.tensors)
        views = {ops.aten.permute.default, *ops.RESHAPES, *ops.SLICES}
        return (
            not plan.read_out
            and all(node in loop.staged for node in plan.before)
            and all(node.target in views for node in plan.fixed)
            and all(is_plain(values[node], fused.dtype) for node in loop.kernel.vectors)
            and not any(map(Tensor.is_neg, watch.tensors))
            and (plan.trace.y in plan.trace.next_state or plan.trace.y in loop.filled.values())
        )

    def fits(self, x: Tensor, state: Any) -> bool:
        """Whether this is the call that was prepared for."""
        if type(state) is not self.kind or type(x) not in PLAIN or x.shape != self.x:
            return False
        for field in (x, *state):
            if type(field) not in PLAIN or field.dtype is not self.dtype or not field.is_cpu:
                return False
            if not field.is_contiguous() or field.is_neg() or not field.data_ptr():
                return False
        return (
            [field.shape for field in state] == self.state
            and [*map(Tensor.data_ptr, self.watch.tensors)] == self.at
            and [*map(Tensor.stride, self.watch.tensors)] == self.laid
            and self.watch.holds()
        )

    def __call__(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        pointers = self.pointers
        last = [*map(torch.empty_like, state)]
        pointers[self.first :: 2] = [*map(Tensor.data_ptr, state)]
        pointers[self.first + 1 :: 2] = [*map(Tensor.data_ptr, last)]
        if self.x_at is not None:
            pointers[self.x_at] = x.data_ptr()
        y = x
        if self.y_at is not None:
            y = x.new_empty(self.y)
            pointers[self.y_at] = y.data_ptr()
        if self.function(self.batch, pointers, self.strides, torch.get_num_threads(), ctypes.byref(threads())):
            raise MemoryError("not enough memory for a step of the kernel")
        return y if self.emits is None else last[self.emits], self.kind(*last)


def is_plain(tensor: Tensor, dtype: torch.dtype) -> bool:
    """Whether a kernel can read the numbers where they are."""
    return tensor.dtype == dtype and tensor.is_contiguous() and not tensor.is_neg()
