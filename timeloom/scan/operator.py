"""The fused loop as torch.library operators, so that torch.compile keeps it in one graph with the code around it.

Eager code runs `operation.Scan` instead: a call through the dispatcher takes longer than a small scan.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from weakref import ref

import torch
from torch import Tensor

from timeloom.core import UsageError
from timeloom.scan.cell import Cell
from timeloom.scan.choose import kernel_for, tell
from timeloom.scan.fused import Fused
from timeloom.scan.operation import shared_out
from timeloom.scan.rows import Rows

# An operator takes numbers and tensors, so compiled code names a kernel by its place here.
_numbered: list[tuple[Fused, ref[Cell], bool]] = []


def kernel_number(cell: Cell, dtype: torch.dtype, all_states: bool) -> int:
    """The place of the cell's kernel in the list of those that compiled code uses; -1 where it has none."""
    found = kernel_for(cell, torch.zeros(1, 1, max(1, cell.input_size), dtype=dtype), all_states=all_states)
    if isinstance(found, str):
        tell(cell, found)
        return -1
    entry = (found[0], ref(cell), all_states)
    if entry not in _numbered:
        _numbered.append(entry)
    return _numbered.index(entry)


# What torch.compiler.assume_constant_result does, without its import of the whole compiler.
kernel_number._dynamo_marked_constant = True  # pyright: ignore[reportFunctionMemberAccess]


def checked_kernel(number: int, x: Tensor, state: Sequence[Tensor]) -> Fused:
    """The kernel of that number, if its cell still is what it was when torch.compile looked at it."""
    fused, cell_of, all_states = _numbered[number]
    cell = cell_of()
    found = (fused,) if cell is None else kernel_for(cell, x, cell.State(*state), all_states)
    if found[0] is fused or found == "":
        return fused
    why = found if isinstance(found, str) else "what its step reads has changed"
    raise UsageError(
        f"{fused.name}: it is no longer what it was when torch.compile looked at it ({why}).\n"
        "  Call torch.compiler.reset() behind such a change, or leave this layer out of torch.compile."
    )


def whole(x: Tensor) -> Rows:
    T, B = x.shape[:2]
    return Rows(T, B, T, T * B)


def apart(tensors: list[Tensor], inputs: Sequence[Tensor]) -> list[Tensor]:
    """The same tensors, each the whole of its memory: outputs of an operator may not share any, nor an input's."""
    seen = {tensor.untyped_storage().data_ptr() for tensor in inputs}
    out = []
    for tensor in tensors:
        own = tensor.untyped_storage().data_ptr() not in seen and tensor.storage_offset() == 0
        out.append(tensor if own else tensor.clone())
        seen.add(out[-1].untyped_storage().data_ptr())
    return out


@torch.library.custom_op("timeloom::scan", mutates_args=(), device_types="cpu")
def scan_operator(
    x: Tensor, state: list[Tensor], parameters: list[Tensor], reverse: bool, keep: bool, kernel: int
) -> list[Tensor]:
    """y (T, B, O), the last states, and with `keep` what the way back needs; x (T, B, I), every sequence T steps."""
    fused = checked_kernel(kernel, x, state)
    y, last, kept = fused.forward(x, state, parameters, whole(x), reverse=reverse, keep=keep)
    return apart([*kept, y, *last], [x, *state])[len(kept) :] + kept


@scan_operator.register_fake
def _(x: Tensor, state: list[Tensor], parameters: list[Tensor], reverse: bool, keep: bool, kernel: int) -> list[Tensor]:
    fused, (T, B) = _numbered[kernel][0], x.shape[:2]
    y = x.new_empty(T, B, fused.output_width)
    kept = [x.new_empty(T * B + (B if states else 0), width) for _, width, states in fused.kept]
    return [y, *map(torch.empty_like, state), *(kept if keep else [])]


@torch.library.custom_op("timeloom::scan_backward", mutates_args=(), device_types="cpu")
def scan_backward_operator(
    x: Tensor,
    parameters: list[Tensor],
    kept: list[Tensor],
    grad_y: Tensor,
    grad_last: list[Tensor],
    reverse: bool,
    kernel: int,
) -> list[Tensor]:
    """Gradients of x, the states and the parameters."""
    fused = _numbered[kernel][0]
    wanted = (True,) * (1 + len(fused.plan.trace.grad_parameters))
    grad_x, initial, found = fused.backward(
        x, parameters, whole(x), kept, grad_y, grad_last, reverse=reverse, wanted=wanted
    )
    assert grad_x is not None
    gradients = [torch.zeros_like(p) if g is None else g for p, g in zip(parameters, found, strict=False)]
    return apart([grad_x, *initial, *gradients], [x, grad_y, *grad_last])


@scan_backward_operator.register_fake
def _(
    x: Tensor,
    parameters: list[Tensor],
    kept: list[Tensor],
    grad_y: Tensor,
    grad_last: list[Tensor],
    reverse: bool,
    kernel: int,
) -> list[Tensor]:
    learned = parameters[: len(_numbered[kernel][0].plan.trace.grad_parameters)]
    return [x.new_empty(x.shape), *map(torch.empty_like, grad_last), *(p.new_empty(p.shape) for p in learned)]


def _keep(ctx: Any, inputs: tuple[Any, ...], output: list[Tensor]) -> None:
    x, state, parameters, reverse, _, kernel = inputs
    ctx.set_materialize_grads(False)
    ctx.states, ctx.count, ctx.reverse, ctx.kernel = len(state), len(parameters), reverse, kernel
    ctx.save_for_backward(x, *state, *parameters, *output)


def _backward(ctx: Any, gradients: list[Tensor | None]) -> tuple[Any, ...]:
    S = ctx.states
    x, *rest = ctx.saved_tensors
    parameters, output = rest[S : S + ctx.count], rest[S + ctx.count :]
    given = [torch.zeros_like(out) if g is None else g for out, g in zip(output, gradients[: 1 + S], strict=False)]
    found = torch.ops.timeloom.scan_backward(
        x, parameters, output[1 + S :], given[0], given[1:], ctx.reverse, ctx.kernel
    )
    learned = found[1 + S :]
    return found[0], found[1 : 1 + S], [*learned, *[None] * (ctx.count - len(learned))], None, None, None


scan_operator.register_autograd(_backward, setup_context=_keep)


def run_compiled(
    cell: Cell, x: Tensor, state: Any, reverse: bool, all_states: bool, given: Mapping[str, Tensor] | None
) -> tuple[Tensor, Any, Any] | None:
    """What `operation.run_fused` does, in code that torch.compile looks at; None where the cell has no kernel."""
    for part in cell.modules():
        if part.training:  # read here, so that torch.compile looks again where it changes
            continue
    kernel = kernel_number(cell, x.dtype, all_states) if x.device.type == "cpu" and x.numel() else -1
    if kernel < 0:
        return None
    own = [(given or {}).get(name, parameter) for name, parameter in cell.named_parameters()]
    parameters = [*own, *cell.buffers()]
    y, *rest = torch.ops.timeloom.scan(x, list(state), parameters, reverse, torch.is_grad_enabled(), kernel)
    return shared_out(cell, x, y, state, rest[: len(state)], None, reverse, all_states)
