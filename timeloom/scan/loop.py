"""The plain Python loop: the meaning of every scan."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from timeloom.core import step_mask
from timeloom.scan.cell import Cell, checked_step


def run(
    cell: Cell,
    x: Tensor,
    state: Any,
    lengths: Tensor | None = None,
    reverse: bool = False,
    all_states: bool = False,
) -> tuple[Tensor, Any, Any]:
    """Run a cell over time; the arguments are those of `scan`, already checked.

    Shapes: x (T, B, I) → y (T, B, O), the final State, and with `all_states` the State after each step, its fields
    (T, B, ...), else None.
    """
    real = None
    if lengths is not None:
        real = step_mask(lengths, x.shape[0]).t()  # (T, B)
        # The choice after the step keeps padding out of values, but not out of gradients: the step's backward would
        # still multiply the zero that arrives by what stands in x, and 0 · NaN is NaN. So padding leaves beforehand.
        x = torch.where(real[..., None], x, 0)
    steps = list(enumerate(x.unbind(0)))  # x[t] would cost a gradient of the size of x for every t
    emissions, states = [], []
    for t, x_t in reversed(steps) if reverse else steps:
        emitted, new = checked_step(cell, x_t, state)
        if real is not None:
            emitted = torch.where(real[t][:, None], emitted, 0)
            new = cell.State(*(choose(real[t], *fields) for fields in zip(new, state, strict=True)))
        state = new
        emissions.append(emitted)
        if all_states:
            states.append(state)
    if reverse:
        emissions.reverse()
        states.reverse()
    y = torch.stack(emissions) if emissions else x.new_zeros(0, x.shape[1], cell.output_size)
    return y, state, stacked(cell, states, state) if all_states else None


def choose(real: Tensor, new: Tensor, old: Tensor) -> Tensor:
    """The new state of sequences that have this step, the old one of those that do not: (B,), (B, ...) → (B, ...)."""
    return torch.where(real.view(-1, *[1] * (new.dim() - 1)), new, old)


def stacked(cell: Cell, states: list[Any], like: Any) -> Any:
    """States side by side in time, (B, ...) → (T, B, ...); `like` gives the shapes where there are none."""
    if not states:
        return cell.State(*(field.new_zeros(0, *field.shape) for field in like))
    return cell.State(*(torch.stack(fields) for fields in zip(*states, strict=True)))
