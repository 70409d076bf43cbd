"""Back-propagation through time in little memory: segments that are read again on the way back."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.checkpoint import checkpoint

from timeloom.core import UsageError
from timeloom.scan import Cell, scan

Memory = Literal["full", "sqrt"] | int
PROBED = 4  # steps


def checked_memory(memory: Any) -> Memory:
    """Raises UsageError unless it is "full", "sqrt" or a number of bytes."""
    if memory in ("full", "sqrt") or (isinstance(memory, int) and not isinstance(memory, bool) and memory > 0):
        return memory
    raise UsageError(f"Recurrent: memory is {memory!r}, wanted 'full', 'sqrt' or a number of bytes")


def scan_in_memory(
    cell: Cell,
    x: Tensor,
    state: Any,
    lengths: Tensor | Sequence[int] | None,
    reverse: bool,
    all_states: bool,
    parameters: Mapping[str, Tensor] | None,
    memory: Memory,
) -> tuple[Any, ...]:
    """`scan`, keeping for the way back what `memory` allows.

        full    all that the steps computed: T times as much as one step keeps
        sqrt    the states at the beginnings of √T segments, and all of one segment at a time
        bytes   as long segments as the budget allows

    What is not kept is computed again, once, on the way back: the same numbers, and what stays in the cache may well
    make up for the time. A budget is for all that is kept of one cell, and for the gradients of one segment, which
    take about as much again, beside its input, its output and their gradients. x is (T, B, I).

    Source: Chen et al. 2016, arXiv:1604.06174; Gruslys et al. 2016, arXiv:1606.03401, whose dynamic program keeps
    states of one level, too, where the budget is above √T of them.
    """
    steps = x.shape[0]
    if memory == "full" or steps <= 1 or not torch.is_grad_enabled():
        return scan_of(cell, x, state, lengths, reverse, all_states, parameters)
    with torch.random.fork_rng():  # the numbers that a step may draw are for the steps that count
        # A kernel is traced when it is first wanted, and cannot be while somebody looks at what autograd keeps.
        scan_of(cell, x[:1], state, None, reverse, all_states, parameters)
        length = segment_length(cell, x, state, parameters, memory)
    if length >= steps:
        return scan_of(cell, x, state, lengths, reverse, all_states, parameters)
    state = cell.initial_state(x.shape[1]) if state is None else state
    bounds = None if lengths is None else torch.as_tensor(lengths, device=x.device)
    found: list[tuple[Any, ...]] = []
    parts = list(zip(range(0, steps, length), x.split(length), strict=True))  # the gradient of slices would fill x each
    for start, part in reversed(parts) if reverse else parts:
        inside = None if bounds is None else (bounds - start).clamp(0, len(part))
        read = checkpoint(
            scan_of,
            cell,
            part,
            state,
            inside,
            reverse,
            all_states,
            parameters,
            use_reentrant=False,  # and with the random numbers that a step may draw drawn again
        )
        assert isinstance(read, tuple)
        found.append(read)
        state = read[1]
    if reverse:
        found.reverse()
    y = torch.cat([read[0] for read in found])
    if not all_states:
        return y, state
    every = zip(*(read[2] for read in found), strict=True)
    return y, state, type(found[0][2])(*(torch.cat(fields) for fields in every))


def segment_length(cell: Cell, x: Tensor, state: Any, parameters: Mapping[str, Tensor] | None, memory: Memory) -> int:
    """Steps that are kept together. Raises UsageError where the budget is too small for any."""
    steps = x.shape[0]
    if memory == "sqrt":
        return math.ceil(math.sqrt(steps))
    budget = int(memory)
    few, more = (bytes_kept(cell, x[:count], state, parameters) for count in (PROBED, 2 * PROBED))
    of_step, fixed = 2 * max(1, (more - few) // PROBED), 2 * max(0, 2 * few - more)  # twice: the gradients, too
    of_state = x.element_size() * x.shape[1] * sum(field.shape[1] for field in cell.initial_state(1))
    if fixed + steps * of_step <= budget:
        return steps
    # The longest segments that fit: length · of_step + steps / length · of_state ≤ the budget.
    left = budget - fixed
    under = left * left - 4 * of_step * of_state * steps
    length = int((left + math.sqrt(under)) / (2 * of_step)) if left > 0 and under >= 0 else 0
    if length < 1:
        least = fixed + 2 * math.sqrt(of_step * of_state * steps) + of_step
        raise UsageError(
            f"Recurrent: memory is {budget} bytes, and {type(cell).__name__} over {steps} steps of {x.shape[1]} "
            f"sequences wants {math.ceil(least)} or more.\n"
            "  Give more, or cut the sequences (truncated training with the state carried)."
        )
    return length


def bytes_kept(cell: Cell, x: Tensor, state: Any, parameters: Mapping[str, Tensor] | None) -> int:
    """What autograd keeps of a scan over x, beside the parameters and x."""
    own = {tensor.data_ptr() for tensor in (*cell.parameters(), *cell.buffers(), *(parameters or {}).values(), x)}
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        if tensor.data_ptr() not in own:
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    scan_of(cell, x[:1], state, None, False, False, parameters)  # traced before anybody looks on
    with saved_tensors_hooks(note, lambda tensor: tensor), torch.enable_grad():
        found = scan_of(cell, x.detach(), state, None, False, False, parameters)
    del found
    return sum(kept.values())


def scan_of(
    cell: Cell,
    x: Tensor,
    state: Any,
    lengths: Tensor | Sequence[int] | None,
    reverse: bool,
    all_states: bool,
    parameters: Mapping[str, Tensor] | None,
) -> tuple[Any, ...]:
    """`scan` with its options in a row."""
    if all_states:
        return scan(cell, x, state, lengths=lengths, reverse=reverse, all_states=True, parameters=parameters)
    return scan(cell, x, state, lengths=lengths, reverse=reverse, parameters=parameters)
