"""The cells' equations once more, in plain NumPy: one sequence, one step, one gate at a time.

Written from the papers' equations and torch.nn's documentation, not from the cells. Parameters come by the cells' own
names; x is (T, I), every field of a state is (H,).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Parameters = dict[str, Array]
State = tuple[Array, ...]
Step = Callable[[Parameters, Array, State], tuple[Array, State]]


def sigmoid(a: Array) -> Array:
    return 1 / (1 + np.exp(-a))


def gate(parameters: Parameters, name: str, number: int, a: Array, width: int) -> Array:
    """W a + b with the rows of one gate."""
    rows = slice(number * width, (number + 1) * width)
    product = parameters[f"{name}.weight"][rows] @ a
    return product + parameters[f"{name}.bias"][rows] if f"{name}.bias" in parameters else product


def elman(nonlinearity: Callable[[Array], Array]) -> Step:
    def step(parameters: Parameters, x: Array, state: State) -> tuple[Array, State]:
        (h,) = state
        H = len(h)
        new = nonlinearity(gate(parameters, "input", 0, x, H) + gate(parameters, "recurrent", 0, h, H))
        return new, (new,)

    return step


def lstm(parameters: Parameters, x: Array, state: State) -> tuple[Array, State]:
    h, c = state
    H = len(h)

    def total(number: int) -> Array:
        return gate(parameters, "input", number, x, H) + gate(parameters, "recurrent", number, h, H)

    input_gate, forget_gate = sigmoid(total(0)), sigmoid(total(1))
    candidate, output_gate = np.tanh(total(2)), sigmoid(total(3))
    c_new = forget_gate * c + input_gate * candidate
    h_new = output_gate * np.tanh(c_new)
    return h_new, (h_new, c_new)


def gru(parameters: Parameters, x: Array, state: State) -> tuple[Array, State]:
    (h,) = state
    H = len(h)

    def halves(number: int) -> tuple[Array, Array]:
        return gate(parameters, "input", number, x, H), gate(parameters, "recurrent", number, h, H)

    reset = sigmoid(sum(halves(0), np.zeros(H)))
    keep = sigmoid(sum(halves(1), np.zeros(H)))
    from_x, from_h = halves(2)
    candidate = np.tanh(from_x + reset * from_h)
    new = candidate + keep * (h - candidate)
    return new, (new,)


def average(parameters: Parameters, x: Array, state: State) -> tuple[Array, State]:
    h, mean = state
    new = np.tanh(parameters["input.weight"] @ x + parameters["input.bias"] + parameters["decay"] * h)
    mean = 0.75 * mean + 0.25 * new.mean()
    return np.append(new, mean), (new, mean)


def run(step: Step, parameters: Parameters, x: Array, state: State) -> tuple[Array, State]:
    """Read one sequence: the emissions (T, O) and the final state. T is 1 or more."""
    emissions = []
    for x_t in x:
        emitted, state = step(parameters, x_t, state)
        emissions.append(emitted)
    return np.stack(emissions), state
