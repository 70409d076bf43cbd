"""What goes on inside a layer over time: gates, gradients, and how one step stretches its state."""

from __future__ import annotations

import linecache
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from timeloom.core import UsageError
from timeloom.layers.recurrent import Recurrent
from timeloom.scan import Cell, plain_loop

SQUASHING: dict[Any, str] = {
    torch.sigmoid: "sigmoid",
    Tensor.sigmoid: "sigmoid",
    F.sigmoid: "sigmoid",
    torch.tanh: "tanh",
    Tensor.tanh: "tanh",
    F.tanh: "tanh",
    torch.relu: "relu",
    Tensor.relu: "relu",
    F.relu: "relu",
}


class Squashed(TorchFunctionMode):
    """Notes what every sigmoid, tanh and relu of a step gives, under the words of the source that ask for it."""

    def __init__(self) -> None:
        super().__init__()
        self.kinds: dict[str, str] = {}
        self.seen: dict[str, list[Tensor]] = {}

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        if func in SQUASHING:
            name = written_at(sys._getframe(1)) or SQUASHING[func]
            self.kinds.setdefault(name, SQUASHING[func])
            self.seen.setdefault(name, []).append(found.detach())
        return found


def written_at(frame: Any) -> str | None:
    """The expression that a frame is at, as its source has it: `sigmoid(f)`. None where there is no source."""
    while frame is not None and "/torch/" in frame.f_code.co_filename.replace("\\", "/"):
        frame = frame.f_back
    if frame is None:
        return None
    places = list(frame.f_code.co_positions())
    line, end_line, begin, end = places[frame.f_lasti // 2]
    if line is None or line != end_line:
        return None
    text = linecache.getline(frame.f_code.co_filename, line).encode()[begin:end].decode()
    return text.removeprefix("torch.").removeprefix("F.") or None


@torch.no_grad()
def gates_over_time(cell: Cell, x: Tensor, reverse: bool = False) -> tuple[dict[str, Tensor], dict[str, str]]:
    """What each sigmoid, tanh and relu in a cell's step gives while it reads x (T, I): (T, H) by the expression in the
    cell's source, and which of the three it is."""
    state = cell.initial_state(1)
    with Squashed() as squashed:
        for step in reversed(x) if reverse else x:
            _, state = cell.step(step[None], state)
    found = {name: torch.cat([part.reshape(1, -1) for part in parts]) for name, parts in squashed.seen.items()}
    whole = {name: value for name, value in found.items() if len(value) == len(x)}
    return {name: value.flip(0) if reverse else value for name, value in whole.items()}, squashed.kinds


def saturated(value: Tensor, kind: str) -> float:
    """The share of the values of a gate that lie where its slope is gone: below 0.05 or above 0.95 for a sigmoid,
    beyond ±0.95 for tanh, at 0 for relu."""
    if kind == "sigmoid":
        return float(((value < 0.05) | (value > 0.95)).double().mean())
    return float((value == 0 if kind == "relu" else value.abs() > 0.95).double().mean())


@contextmanager
def watched_steps(cells: Iterable[Cell]) -> Iterator[list[list[tuple[Tensor, Any, Any]]]]:
    """Within it every scan takes the plain loop, and each step of a cell is noted, in the order of the loop: what it
    read (B, I), the State it began from and the one it ended in. Gives a list for each of the cells."""
    watched = list(cells)
    seen: list[list[tuple[Tensor, Any, Any]]] = [[] for _ in watched]

    def noting(step: Any, notes: list[tuple[Tensor, Any, Any]]) -> Any:
        def noted(x: Tensor, state: Any) -> tuple[Tensor, Any]:
            emitted, after = step(x, state)
            notes.append((x, state, after))
            return emitted, after

        return noted

    for cell, notes in zip(watched, seen, strict=True):
        setattr(cell, "step", noting(cell.step, notes))  # noqa: B010 - over the method of its class, and away below
    try:
        with plain_loop():
            yield seen
    finally:
        for cell in watched:
            delattr(cell, "step")


def gradient_flow(layer: Recurrent, loss: Callable[[], Tensor]) -> list[dict[str, Tensor]]:
    """The norm of ∂loss/∂state_t after each step, for each cell of a layer (layer after layer, forwards before
    backwards) and every field of its state: (T,), in the order of time.

    `loss` gives a scalar, and runs the layer once, on B sequences that the norm is over. Raises UsageError for a layer
    that keeps less than the whole sequence (`memory`).
    """
    if layer.memory != "full":
        raise UsageError(f"gradient_flow: the layer has memory={layer.memory!r}; give one with memory='full'")
    with watched_steps(layer.cells) as seen:
        value = loss()
    if not all(seen):
        raise UsageError("gradient_flow: the loss did not run the layer")
    wanted = [field for notes in seen for _, _, after in notes for field in after if field.requires_grad]
    if not wanted:
        raise UsageError("gradient_flow: no state of the layer has a gradient; its weights are held")
    gradients = iter(torch.autograd.grad(value, wanted, allow_unused=True))
    found = []
    for number, notes in enumerate(seen):
        rows = [[norm_of(next(gradients) if field.requires_grad else None) for field in after] for _, _, after in notes]
        norms = torch.tensor(rows, dtype=torch.float64)
        if layer.bidirectional and number % 2:
            norms = norms.flip(0)
        found.append(dict(zip(layer.cells[number].State._fields, norms.T, strict=True)))
    return found


def norm_of(gradient: Tensor | None) -> float:
    return 0.0 if gradient is None else float(gradient.double().norm())


def step_eigenvalues(cell: Cell, x: Tensor, state: Any) -> Tensor:
    """The eigenvalues of ∂state'/∂state, all fields but counters side by side, for one step x (I,) from a State of one
    row: (S,)."""
    fields = [name for name in state._fields if name not in cell.counters]
    sizes = [getattr(state, name).shape[1] for name in fields]

    def advance(flat: Tensor) -> Tensor:
        parts = {name: part[None] for name, part in zip(fields, flat.split(sizes), strict=True)}
        _, after = cell.step(x[None], state._replace(**parts))
        return torch.cat([getattr(after, name)[0] for name in fields])

    flat = torch.cat([getattr(state, name)[0] for name in fields]).detach()
    jacobian = torch.autograd.functional.jacobian(advance, flat)
    assert isinstance(jacobian, Tensor)
    return torch.linalg.eigvals(jacobian.double())
