"""The fused loop as one operation that autograd can differentiate, as often as it likes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from timeloom.core import step_mask
from timeloom.scan import loop
from timeloom.scan.cell import Cell
from timeloom.scan.choose import must_be_plain
from timeloom.scan.fused import Fused
from timeloom.scan.readable import unreadable
from timeloom.scan.rows import Rows, rows_of
from timeloom.scan.twin import twin
from timeloom.scan.watch import Watch

_twins: WeakKeyDictionary[Watch, Cell] = WeakKeyDictionary()  # of a cell as its watch saw it, whatever became of it


class Call(NamedTuple):
    """What a scan was called with, but for the tensors that have gradients."""

    fused: Fused
    twin: Cell
    own: list[Tensor]  # parameters and buffers of the twin, in whose place others may have come
    rows: Rows
    lengths: Tensor | None
    reverse: bool
    all_states: bool
    fields: int  # of the state


def run_fused(
    fused: Fused,
    watch: Watch,
    cell: Cell,
    x: Tensor,
    state: Any,
    lengths: Tensor | None = None,
    reverse: bool = False,
    all_states: bool = False,
    others: Mapping[str, Tensor] | None = None,
) -> tuple[Tensor, Any, Any]:
    """What `loop.run` does, by the kernel: y (T, B, O), the final State, and with `all_states` that after each step."""
    parameters = watch.with_others(others)
    rows = rows_of(x.shape[0], x.shape[1], lengths)
    if torch.is_grad_enabled():
        x = x if rows.ragged else x.contiguous()  # a batch that came first is turned once for both ways
        call = Call(fused, twin_of(watch, cell), watch.tensors, rows, lengths, reverse, all_states, len(state))
        y, *last = Scan.apply(call, x, *state, *parameters)
    else:
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
    def forward(ctx: Any, call: Call, *tensors: Tensor) -> Any:
        x, state, parameters = parts(call, tensors)
        keep = any(ctx.needs_input_grad)
        y, last, kept = call.fused.forward(x, state, parameters, call.rows, reverse=call.reverse, keep=keep)
        if keep:
            ctx.call = call
            ctx.save_for_backward(*tensors, *kept)
        return (y, *last)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        call: Call = ctx.call
        wanted = ctx.needs_input_grad[1:]
        saved = ctx.saved_tensors
        tensors, kept = saved[: len(wanted)], saved[len(wanted) :]
        if torch.is_grad_enabled() or must_be_plain() or unreadable((*gradients, *tensors)) is not None:
            return None, *again(call, tensors, gradients, wanted)
        x, _, parameters = parts(call, tensors)
        grad_y, *grad_last = gradients
        grad_x, initial, found = call.fused.backward(
            x,
            parameters,
            call.rows,
            kept,
            grad_y,
            grad_last,
            reverse=call.reverse,
            wanted=(wanted[0], *wanted[1 + call.fields :]),
        )
        buffers = [None] * (len(parameters) - len(found))
        return (None, grad_x, *initial, *found, *buffers)


def parts(call: Call, tensors: Sequence[Tensor]) -> tuple[Tensor, Sequence[Tensor], Sequence[Tensor]]:
    """x, the state, and the parameters with the buffers."""
    return tensors[0], tensors[1 : 1 + call.fields], tensors[1 + call.fields :]


def again(
    call: Call, tensors: Sequence[Tensor], gradients: Sequence[Tensor], wanted: Sequence[bool]
) -> list[Tensor | None]:
    """The gradients by the plain loop: for those that shall have gradients themselves (`create_graph=True`), that come
    in batches, or that no kernel can read."""
    graph = torch.is_grad_enabled()
    with torch.enable_grad(), torch.autocast("cpu", enabled=False):
        own = [tensor.view_as(tensor) for tensor in tensors]  # one may be made of another, which is no path of ours
        outputs = by_the_plain_loop(call, own)
    asked = [tensor for tensor, want in zip(own, wanted, strict=True) if want]
    given = [(out, gradient) for out, gradient in zip(outputs, gradients, strict=True) if out.requires_grad]
    outs, grads = [out for out, _ in given], [gradient for _, gradient in given]
    found = (
        torch.autograd.grad(outs, asked, grads, create_graph=graph, allow_unused=True) if outs else [None] * len(own)
    )
    rest = iter(found)
    return [next(rest) if want else None for want in wanted]


def by_the_plain_loop(call: Call, tensors: Sequence[Tensor]) -> list[Tensor]:
    """What `Scan.forward` gives."""
    x, state, parameters = parts(call, tensors)
    cell = twin(call.twin)
    places = {id(own): tensor for own, tensor in zip(call.own, parameters, strict=True)}
    for part in cell.modules():
        for table in (part._parameters, part._buffers):
            table.update({name: places[id(own)] for name, own in table.items() if id(own) in places})
    y, last, states = loop.run(cell, x, cell.State(*state), call.lengths, call.reverse, call.all_states)
    if states is not None:
        y = torch.cat([y, *states], -1)
    return [y, *last]


def twin_of(watch: Watch, cell: Cell) -> Cell:
    """A second cell that stays as the cell is now, for a gradient that is wanted later."""
    found = _twins.get(watch)
    if found is None:
        found = _twins[watch] = twin(cell)
    return found
