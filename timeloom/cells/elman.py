"""Elman's simple recurrent network."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from timeloom.cells.initial import uniform_by_width
from timeloom.core import UsageError
from timeloom.scan import Cell


def identity(a: Tensor) -> Tensor:
    return a


NONLINEARITIES = {"tanh": torch.tanh, "relu": torch.relu, "identity": identity}


class ElmanCell(Cell):
    """Elman's simple recurrent network: the hidden layer reads the input and itself one step earlier.

        h' = f(W x + b + U h + c)    f one of tanh, relu, identity

    Shapes: x (B, I), h (B, H) → h' (B, H). Parameters: H(I + H) + 2H.
    Source: Elman 1990, Finding Structure in Time, doi:10.1207/s15516709cog1402_1. Two biases as in torch.nn.RNN, where
    Elman has one (their sum is the same model); he has the logistic function where f stands.
    """

    class State(NamedTuple):
        h: Tensor  # (B, H)

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        nonlinearity: Literal["tanh", "relu", "identity"] = "tanh",
        bias: bool = True,
    ):
        super().__init__()
        if nonlinearity not in NONLINEARITIES:
            raise UsageError(
                f"ElmanCell: nonlinearity is {nonlinearity!r}, wanted one of {', '.join(NONLINEARITIES)}.\n"
                "  Choose one of them, or write a cell of your own."
            )
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.nonlinearity = nonlinearity
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
