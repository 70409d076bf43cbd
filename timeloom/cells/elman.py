"""Elman's simple recurrent network."""

from __future__ import annotations

from typing import Literal, NamedTuple

from torch import Tensor, nn

from timeloom.cells import references
from timeloom.cells.initial import uniform_by_width
from timeloom.cells.nonlinearity import NONLINEARITIES, checked_nonlinearity
from timeloom.scan import Cell


class ElmanCell(Cell):
    """Elman's simple recurrent network: the hidden layer reads the input and itself one step earlier.

        h' = f(W x + b + U h + c)    f one of tanh, relu, sigmoid, identity

    Shapes: x (B, I), h (B, H) → h' (B, H). Parameters: H(I + H) + 2H.
    Source: Elman 1990, Finding Structure in Time, doi:10.1207/s15516709cog1402_1. Two biases as in torch.nn.RNN, where
    Elman has one (their sum is the same model); he has the logistic function where f stands. All begin evenly from
    ±1/√H.
    """

    gates = ("hidden",)
    sources = (references.ELMAN,)

    class State(NamedTuple):
        h: Tensor  # (B, H)

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        nonlinearity: Literal["tanh", "relu", "sigmoid", "identity"] = "tanh",
        bias: bool = True,
    ):
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.nonlinearity = checked_nonlinearity(self, "nonlinearity", nonlinearity)
        self.input = nn.Linear(input_size, hidden_size, bias)
        self.recurrent = nn.Linear(hidden_size, hidden_size, bias)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        uniform_by_width(self)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        h = NONLINEARITIES[self.nonlinearity](self.input(x) + self.recurrent(state.h))
        return h, self.State(h)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, nonlinearity={self.nonlinearity!r}"
