"""Jordan's network."""

from __future__ import annotations

from typing import Literal, NamedTuple

from torch import Tensor, nn

from timeloom.cells import references
from timeloom.cells.initial import standard
from timeloom.cells.nonlinearity import NONLINEARITIES, checked_nonlinearity
from timeloom.core import UsageError
from timeloom.scan import Cell


class JordanCell(Cell):
    """Jordan's network: the hidden layer reads the input and what the network last gave out.

        h  = f(W x + U y + b)     f one of tanh, relu, sigmoid, identity
        y' = g(V h + d)           g one of identity, tanh, relu, sigmoid, softmax

    Shapes: x (B, I), y (B, O) → y' (B, O). Parameters: H(I + O) + H + O·H + O.
    Begins with W, V as Glorot, U orthogonal, b = d = 0.
    Source: Jordan 1986, Serial Order: A Parallel Distributed Processing Approach, reprinted 1997,
    doi:10.1016/S0166-4115(97)80111-2. There the memory is a decaying sum of outputs; here it is the last output, as in
    most later texts.
    """

    gates = ("hidden",)
    sources = (references.JORDAN,)

    class State(NamedTuple):
        y: Tensor  # (B, O) what the network last gave out

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        output_size: int | None = None,
        nonlinearity: Literal["tanh", "relu", "sigmoid", "identity"] = "tanh",
        output_activation: Literal["identity", "tanh", "relu", "sigmoid", "softmax"] = "identity",
        bias: bool = True,
    ):
        super().__init__()
        if output_size is not None and output_size < 1:
            raise UsageError(f"JordanCell: output_size is {output_size}, wanted 1 or more")
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.output_width = hidden_size if output_size is None else output_size
        self.nonlinearity = checked_nonlinearity(self, "nonlinearity", nonlinearity)
        self.output_activation = checked_nonlinearity(self, "output_activation", output_activation, output=True)
        self.input = nn.Linear(input_size, hidden_size, bias)
        self.recurrent = nn.Linear(self.output_width, hidden_size, bias=False)
        self.output = nn.Linear(hidden_size, self.output_width, bias)
        self.reset_parameters()

    @property
    def output_size(self) -> int:
        return self.output_width

    def initial_state(self, batch_size: int) -> State:
        return self.State(self._zeros(batch_size, self.output_width))

    def reset_parameters(self) -> None:
        standard(self)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        h = NONLINEARITIES[self.nonlinearity](self.input(x) + self.recurrent(state.y))
        y = NONLINEARITIES[self.output_activation](self.output(h))
        return y, self.State(y)

    def extra_repr(self) -> str:
        options = f"nonlinearity={self.nonlinearity!r}, output_activation={self.output_activation!r}"
        return f"{super().extra_repr()}, output_size={self.output_width}, {options}"
