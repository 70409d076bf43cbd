"""The coupled oscillatory network."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from timeloom.cells import references
from timeloom.cells.initial import standard
from timeloom.scan import Cell


class CoRNNCell(Cell):
    """Coupled, driven, damped oscillators: bounded gradients by the physics of it.

        z' = z + Δ · (tanh(U h + V z + W x + b) − γ h − ε z)    velocity
        h' = h + Δ · z'                                         position

    Shapes: x (B, I), h (B, H), z (B, H) → h' (B, H), z' (B, H). Parameters: H(I + 2H) + H.
    Begins with W as Glorot, U and V orthogonal, b = 0.
    Source: Rusch and Mishra 2021, Coupled Oscillatory Recurrent Neural Network, arXiv:2010.00951, with the damping of
    the step before (explicit), as in its authors' experiments.

    Args:
        dt: Δ, the time between two steps.
        gamma: γ, the pull back to zero.
        epsilon: ε, the damping.
    """

    gates = ("hidden",)
    recurrent_products = ("recurrent", "recurrent_velocity")
    sources = (references.CORNN,)

    class State(NamedTuple):
        h: Tensor  # (B, H) position
        z: Tensor  # (B, H) velocity

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        dt: float = 0.05,
        gamma: float = 2.7,
        epsilon: float = 5.0,
        bias: bool = True,
    ):
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.dt = dt
        self.gamma = gamma
        self.epsilon = epsilon
        self.input = nn.Linear(input_size, hidden_size, bias)
        self.recurrent = nn.Linear(hidden_size, hidden_size, bias=False)
        self.recurrent_velocity = nn.Linear(hidden_size, hidden_size, bias=False)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        standard(self)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        force = torch.tanh(self.input(x) + self.recurrent(state.h) + self.recurrent_velocity(state.z))
        z = state.z + self.dt * (force - self.gamma * state.h - self.epsilon * state.z)
        h = state.h + self.dt * z
        return h, self.State(h, z)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, dt={self.dt}, gamma={self.gamma}, epsilon={self.epsilon}"
