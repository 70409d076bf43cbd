"""The minimal LSTM."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from timeloom.cells import references
from timeloom.cells.initial import standard
from timeloom.scan import Cell


class MinLSTMCell(Cell):
    """Long short-term memory whose gates and candidate see the input alone, with gates that add up to one.

        i  = σ(W_i x + b_i),  f = σ(W_f x + b_f)
        h' = f / (f + i) ⊙ h + i / (f + i) ⊙ (W_n x + b_n)

    Shapes: x (B, I), h (B, H) → h' (B, H). Parameters: 3H·I + 3H.
    Begins with W as Glorot, b = 0 but b_f = 1. Gate order (i, f, n).
    Source: Feng et al. 2024, Were RNNs All We Needed?, arXiv:2410.01201, section 3.2, not its log-space form.
    """

    gates = ("input", "forget", "candidate")
    recurrent_products = ()
    sources = (references.MINIMAL,)

    class State(NamedTuple):
        h: Tensor  # (B, H)

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True):
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.input = nn.Linear(input_size, 3 * hidden_size, bias)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        standard(self)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        i, f, n = self.input(x).chunk(3, -1)  # each (B, H)
        # f / (f + i) = 1 / (1 + i / f), from the logarithms, so that two closed gates are no 0 / 0.
        keep = torch.sigmoid(nn.functional.logsigmoid(f) - nn.functional.logsigmoid(i))
        h = keep * state.h + (1 - keep) * n
        return h, self.State(h)
