"""The fused loop as one differentiable operation: for autograd, and as a torch.library operator for torch.compile."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from timeloom.core import step_mask
from timeloom.scan.cell import Cell
from timeloom.scan.fused import Fused
from timeloom.scan.rows import rows_of


def run_fused(
    fused: Fused,
    parameters: list[Tensor],
    cell: Cell,
    x: Tensor,
    state: Any,
    lengths: Tensor | None = None,
    reverse: bool = False,
    all_states: bool = False,
) -> tuple[Tensor, Any, Any]:
    """What `loop.run` does, by the kernel: y (T, B, O), the final State, and with `all_states` that after each step."""
    if torch.is_grad_enabled():
        y, *last = Scan.apply(fused, lengths, reverse, len(state), x, *state, *parameters)
    else:
        rows = rows_of(x.shape[0], x.shape[1], lengths)
        y, last, _ = fused.forward(x, state, parameters, rows, reverse=reverse, keep=False)
    return shared_out(cell, x, y, state, last, lengths, reverse, all_states)


def shared_out(
    cell: Cell,
    x: Tensor,
    y: Tensor,
    state: Any,
    last: list[Tensor],
    lengths: Tensor | None,
    reverse: bool,
    all_states: bool,
) -> tuple[Tensor, Any, Any]:
    """y, the final State, and the State after each step, which a kernel for `all_states` emits beside y."""
    states = None
    if all_states:
        y, *states = y.split([cell.output_size, *(field.shape[1] for field in state)], -1)
        if lengths is not None:  # a state stays as it is where its sequence has no step
            real = step_mask(lengths, len(x)).t()[..., None]
            still = state if reverse else last
            states = [torch.where(real, field, other) for field, other in zip(states, still, strict=True)]
        states = cell.State(*states)
    return y, cell.State(*last), states


class Scan(torch.autograd.Function):
    """(x, states..., parameters...) → (y, last states...)."""

    @staticmethod
    def forward(
        ctx: Any, fused: Fused, lengths: Tensor | None, reverse: bool, count: int, x: Tensor, *rest: Tensor
    ) -> Any:
        state, parameters = rest[:count], rest[count:]
        rows = rows_of(x.shape[0], x.shape[1], lengths)
        x = x if rows.ragged else x.contiguous()  # a batch that came first is turned once for both ways
        keep = any(ctx.needs_input_grad)
        y, last, kept = fused.forward(x, state, parameters, rows, reverse=reverse, keep=keep)
        if keep:
            ctx.fused, ctx.rows, ctx.reverse, ctx.count = fused, rows, reverse, len(parameters)
            ctx.save_for_backward(x, *parameters, *kept)
        return (y, *last)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        if torch.is_grad_enabled():  # create_graph=True
            raise RuntimeError(
                f"{ctx.fused.name}: the kernel has no second derivative.\n"
                "  Run the scan inside `with timeloom.scan.plain_loop():`, which has."
            )
        grad_y, *grad_last = gradients
        x, *saved = ctx.saved_tensors
        parameters, kept = saved[: ctx.count], saved[ctx.count :]
        wanted = (ctx.needs_input_grad[4], *ctx.needs_input_grad[5 + len(grad_last) :])
        grad_x, initial, found = ctx.fused.backward(
            x, parameters, ctx.rows, kept, grad_y, grad_last, reverse=ctx.reverse, wanted=wanted
        )
        buffers = [None] * (len(parameters) - len(found))
        return (None, None, None, None, grad_x, *initial, *found, *buffers)
