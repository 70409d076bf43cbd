"""Every cell and every output over a chain, once; what holds for all is tested over these lists."""

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
from timeloom.cells import (
    CfCCell,
    ClockworkCell,
    CoRNNCell,
    CoupledLSTMCell,
    ElmanCell,
    GRUCell,
    GRUResetBeforeCell,
    IndRNNCell,
    IRNNCell,
    JANETCell,
    JordanCell,
    LayerNormLSTMCell,
    LiGRUCell,
    LSTM1997Cell,
    LSTMCell,
    MGUCell,
    MinGRUCell,
    MinLSTMCell,
    PeepholeLSTMCell,
    SCRNCell,
    SLSTMCell,
    SRUCell,
)
from timeloom.scan import Cell
from timeloom.structured import CRF, HMMHybrid, StructuredPerceptron, StructuredSVM


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
    timed: bool = False  # reads the time as the last number of x, so that there is but one layer of it, read forwards
    narrowest: int = 1  # the least hidden_size that it makes sense for: one unit alone, normalised, is 0


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
    Entry(
        "lstm-projected",
        partial(LSTMCell, proj_size=1),
        oracles.lstm_projected,
        partial(nn.LSTM, proj_size=1),
        narrowest=2,
    ),
    Entry("irnn", IRNNCell, oracles.irnn),
    Entry("jordan", JordanCell, oracles.jordan(np.tanh, lambda a: a)),
    Entry(
        "jordan-softmax",
        partial(JordanCell, output_size=5, nonlinearity="sigmoid", output_activation="softmax"),
        oracles.jordan(oracles.sigmoid, oracles.softmax),
    ),
    Entry(
        "clockwork",
        partial(ClockworkCell, periods=(3, 4)),
        oracles.clockwork([(3, slice(0, 2)), (4, slice(2, 4))]),
        narrowest=2,
    ),
    Entry("scrn", SCRNCell, oracles.scrn),
    Entry("scrn-learned", partial(SCRNCell, context_size=3, learn_alpha=True), oracles.scrn),
    Entry("indrnn", IndRNNCell, oracles.indrnn),
    Entry("cornn", CoRNNCell, oracles.cornn),
    Entry("lstm1997", LSTM1997Cell, oracles.lstm1997),
    Entry("peephole-lstm", PeepholeLSTMCell, oracles.peephole_lstm),
    Entry("coupled-lstm", CoupledLSTMCell, oracles.coupled_lstm),
    Entry("layer-norm-lstm", LayerNormLSTMCell, oracles.layer_norm_lstm, narrowest=2),
    Entry("slstm", SLSTMCell, oracles.slstm),
    Entry("janet", JANETCell, oracles.janet),
    Entry("gru-reset-before", GRUResetBeforeCell, oracles.gru_reset_before),
    Entry("mgu", MGUCell, oracles.mgu),
    Entry("ligru", LiGRUCell, oracles.ligru, narrowest=2),
    Entry("cfc", CfCCell, oracles.cfc(timed=False)),
    Entry("cfc-timed", partial(CfCCell, timed=True), oracles.cfc(timed=True), timed=True),
    Entry("min-gru", MinGRUCell, oracles.min_gru),
    Entry("min-lstm", MinLSTMCell, oracles.min_lstm),
    Entry("sru", SRUCell, oracles.sru),
    Entry("average", AverageCell, oracles.average),
]

OUTPUTS = (CRF, StructuredPerceptron, StructuredSVM, HMMHybrid)

B, T, WIDTH = 3, 7, 3  # of what a layer reads in its tests

every_cell = pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
every_stack = pytest.mark.parametrize("entry", [e for e in ENTRIES if not e.timed], ids=lambda entry: entry.name)
every_twin = pytest.mark.parametrize("entry", [e for e in ENTRIES if e.twin is not None], ids=lambda entry: entry.name)


def build(entry: Entry, input_size: int = 3, hidden_size: int = 4, seed: int = 0) -> Cell:
    """The entry's cell in float64."""
    torch.manual_seed(seed)
    cell = entry.make(input_size, hidden_size).double()
    with torch.no_grad():
        for parameter in cell.parameters():
            if parameter.dim() == 1:  # biases, peepholes: many begin at 0, where a mistake in them would not show
                parameter.add_(0.3 * torch.randn_like(parameter))
    return cell


def reading(seed: int = 0) -> Tensor:
    """A batch (B, T, WIDTH) that asks for gradients."""
    torch.manual_seed(seed)
    return torch.randn(B, T, WIDTH, dtype=torch.float64, requires_grad=True)


def random_state(cell: Cell, batch_size: int) -> tuple[Tensor, ...]:
    """A State such as the cell comes to, after three steps of noise; it asks for gradients."""
    state = cell.initial_state(batch_size)
    with torch.no_grad():
        for _ in range(3):
            _, state = cell.step(torch.randn(batch_size, cell.input_size, dtype=state[0].dtype), state)
    return cell.State(*(field.detach().clone().requires_grad_() for field in state))
