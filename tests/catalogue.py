"""Every cell, once. Each test that holds for all cells runs over this list, so a new cell adds one line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests import oracles
from timeloom.cells import ElmanCell, GRUCell, LSTMCell
from timeloom.scan import Cell


class AverageCell(Cell):
    """A cell as a user might write it: its own initial state and output width, and a state of two widths."""

    class State(NamedTuple):
        h: Tensor  # (B, H)
        mean: Tensor  # (B, 1)

    def __init__(self, input_size: int, hidden_size: int):
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.input = nn.Linear(input_size, hidden_size)
        self.decay = nn.Parameter(torch.linspace(0.1, 0.9, hidden_size))

    @property
    def output_size(self) -> int:
        return self.hidden_size + 1

    def initial_state(self, batch_size: int) -> State:
        return self.State(
            self.decay.new_full((batch_size, self.hidden_size), 0.5), self.decay.new_full((batch_size, 1), -1.0)
        )

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        h = torch.tanh(self.input(x) + self.decay * state.h)
        mean = 0.75 * state.mean + 0.25 * h.mean(-1, keepdim=True)
        return torch.cat([h, mean], -1), self.State(h, mean)


@dataclass(frozen=True)
class Entry:
    """A cell; its equations in NumPy; where torch.nn has it, the same recurrence there."""

    name: str
    make: Callable[[int, int], Cell]
    oracle: oracles.Step
    twin: Callable[..., nn.RNNBase] | None = None


ENTRIES = [
    Entry("elman-tanh", ElmanCell, oracles.elman(np.tanh), nn.RNN),
    Entry(
        "elman-relu",
        partial(ElmanCell, nonlinearity="relu"),
        oracles.elman(lambda a: np.maximum(a, 0)),
        partial(nn.RNN, nonlinearity="relu"),
    ),
    Entry("elman-identity", partial(ElmanCell, nonlinearity="identity"), oracles.elman(lambda a: a)),
    Entry("lstm", LSTMCell, oracles.lstm, nn.LSTM),
    Entry("lstm-no-bias", partial(LSTMCell, bias=False), oracles.lstm, partial(nn.LSTM, bias=False)),
    Entry("gru", GRUCell, oracles.gru, nn.GRU),
    Entry("average", AverageCell, oracles.average),
]

every_cell = pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
every_twin = pytest.mark.parametrize("entry", [e for e in ENTRIES if e.twin is not None], ids=lambda entry: entry.name)


def build(entry: Entry, input_size: int = 3, hidden_size: int = 4, seed: int = 0) -> Cell:
    """The entry's cell in float64."""
    torch.manual_seed(seed)
    return entry.make(input_size, hidden_size).double()


def random_state(cell: Cell, batch_size: int) -> tuple[Tensor, ...]:
    """A State of noise that asks for gradients."""
    return cell.State(*(torch.randn_like(field).requires_grad_() for field in cell.initial_state(batch_size)))
