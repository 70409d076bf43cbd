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


def relu(a: Array) -> Array:
    return np.where(a > 0, a, 0.0)


def normalised(a: Array, scale: Array, shift: Array | float = 0.0) -> Array:
    return scale * (a - a.mean()) / np.sqrt(a.var() + 1e-5) + shift


def irnn(parameters: Parameters, x: Array, state: State) -> tuple[Array, State]:
    W, U, b = parameters["input.weight"], parameters["recurrent.weight"], parameters["input.bias"]
    h = relu(W @ x + U @ state[0] + b)
    return h, (h,)


def jordan(f: Callable[[Array], Array], g: Callable[[Array], Array]) -> Step:
    def step(parameters: Parameters, x: Array, state: State) -> tuple[Array, State]:
        W, U, b = parameters["input.weight"], parameters["recurrent.weight"], parameters["input.bias"]
        hidden = f(W @ x + U @ state[0] + b)
        y = g(parameters["output.weight"] @ hidden + parameters["output.bias"])
        return y, (y,)

    return step


def softmax(a: Array) -> Array:
    return np.exp(a) / np.exp(a).sum()


def lstm_projected(parameters: Parameters, x: Array, state: State) -> tuple[Array, State]:
    h, c = state
    total = parameters["input.weight"] @ x + parameters["input.bias"]
    total = total + parameters["recurrent.weight"] @ h + parameters["recurrent.bias"]
    i, f, g, o = np.split(total, 4)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    h = parameters["projection.weight"] @ (sigmoid(o) * np.tanh(c))
    return h, (h, c)


def totals(parameters: Parameters, x: Array, h: Array, gates: int) -> list[Array]:
    """W x + U h + b of each gate, for cells with one bias."""
    H = len(parameters["recurrent.weight"]) // gates
    return [
        gate(parameters, "input", number, x, H) + gate(parameters, "recurrent", number, h, H) for number in range(gates)
    ]


def lstm1997(parameters: Parameters, x: Array, state: State) -> tuple[Array, State]:
    h, c = state
    i, g, o = totals(parameters, x, h, 3)
    c = c + sigmoid(i) * np.tanh(g)
    h = sigmoid(o) * np.tanh(c)
    return h, (h, c)


def peephole_lstm(parameters: Parameters, x: Array, state: State) -> tuple[Array, State]:
    h, c = state
    i, f, g, o = totals(parameters, x, h, 4)
    now = sigmoid(f + parameters["p_f"] * c) * c + sigmoid(i + parameters["p_i"] * c) * np.tanh(g)
    h = sigmoid(o + parameters["p_o"] * now) * np.tanh(now)
    return h, (h, now)


def coupled_lstm(parameters: Parameters, x: Array, state: State) -> tuple[Array, State]:
    h, c = state
    f, g, o = totals(parameters, x, h, 3)
    written = 1 - sigmoid(f)
    c = sigmoid(f) * c + written * np.tanh(g)
    h = sigmoid(o) * np.tanh(c)
    return h, (h, c)


def layer_norm_lstm(parameters: Parameters, x: Array, state: State) -> tuple[Array, State]:
    h, c = state
    from_x = normalised(parameters["input.weight"] @ x, parameters["norm_x.weight"])
    from_h = normalised(parameters["recurrent.weight"] @ h, parameters["norm_h.weight"])
    i, f, g, o = np.split(from_x + from_h + parameters["bias"], 4)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    h = sigmoid(o) * np.tanh(normalised(c, parameters["norm_c.weight"], parameters["norm_c.bias"]))
    return h, (h, c)


def gru_reset_before(parameters: Parameters, x: Array, state: State) -> tuple[Array, State]:
    (h,) = state
    H = len(h)
    r = sigmoid(gate(parameters, "input", 0, x, H) + gate(parameters, "recurrent", 0, h, H))
    z = sigmoid(gate(parameters, "input", 1, x, H) + gate(parameters, "recurrent", 1, h, H))
    n = np.tanh(gate(parameters, "input", 2, x, H) + parameters["recurrent_candidate.weight"] @ (r * h))
    h = z * h + (1 - z) * n
    return h, (h,)


def mgu(parameters: Parameters, x: Array, state: State) -> tuple[Array, State]:
    (h,) = state
    H = len(h)
    f = sigmoid(gate(parameters, "input", 0, x, H) + parameters["recurrent.weight"] @ h)
    n = np.tanh(gate(parameters, "input", 1, x, H) + parameters["recurrent_candidate.weight"] @ (f * h))
    h = (1 - f) * h + f * n
    return h, (h,)


def clockwork(groups: list[tuple[int, slice]]) -> Step:
    """`groups`: a period and the units that have it."""

    def step(parameters: Parameters, x: Array, state: State) -> tuple[Array, State]:
        h, t = state
        new, after = h.copy(), t + 1
        for period, units in groups:
            after[units] -= period * (after[units] > period - 0.5)
            if t[units][0] < 0.5:
                total = parameters["input.weight"][units] @ x + parameters["input.bias"][units]
                for other, sources in groups:
                    if other >= period:
                        total = total + parameters["recurrent.weight"][units, sources] @ h[sources]
                new[units] = np.tanh(total)
        return new, (new, after)

    return step


def scrn(parameters: Parameters, x: Array, state: State, alpha: float = 0.95) -> tuple[Array, State]:
    h, s = state
    keep = sigmoid(parameters["logit_alpha"]) if "logit_alpha" in parameters else np.array(alpha)
    s = (1 - keep) * (parameters["context.weight"] @ x) + keep * s
    total = parameters["from_context.weight"] @ s + parameters["input.weight"] @ x + parameters["input.bias"]
    h = sigmoid(total + parameters["recurrent.weight"] @ h)
    return np.concatenate([h, s]), (h, s)


def indrnn(parameters: Parameters, x: Array, state: State, most: float = np.inf) -> tuple[Array, State]:
    u = np.minimum(np.maximum(parameters["recurrent.weight"], -most), most)
    h = relu(parameters["input.weight"] @ x + u * state[0] + parameters["input.bias"])
    return h, (h,)


def janet(parameters: Parameters, x: Array, state: State, beta: float = 1.0) -> tuple[Array, State]:
    (h,) = state
    s, g = totals(parameters, x, h, 2)
    h = sigmoid(s) * h + (1 - sigmoid(s - beta)) * np.tanh(g)
    return h, (h,)


def ligru(parameters: Parameters, x: Array, state: State) -> tuple[Array, State]:
    (h,) = state
    H = len(h)

    def total(number: int, name: str) -> Array:
        scale, shift = parameters[f"{name}.weight"], parameters[f"{name}.bias"]
        return normalised(gate(parameters, "input", number, x, H), scale, shift) + gate(
            parameters, "recurrent", number, h, H
        )

    z = sigmoid(total(0, "norm_z"))
    h = z * h + (1 - z) * relu(total(1, "norm_n"))
    return h, (h,)


def cornn(
    parameters: Parameters, x: Array, state: State, dt: float = 0.05, gamma: float = 2.7, epsilon: float = 5.0
) -> tuple[Array, State]:
    h, z = state
    driven = parameters["input.weight"] @ x + parameters["input.bias"]
    force = np.tanh(driven + parameters["recurrent.weight"] @ h + parameters["recurrent_velocity.weight"] @ z)
    z_new = z + dt * force - dt * gamma * h - dt * epsilon * z
    h_new = h + dt * z_new
    return h_new, (h_new, z_new)


def slstm(
    parameters: Parameters, x: Array, state: State, forget: Callable[[Array], Array] = sigmoid
) -> tuple[Array, State]:
    """With c and n as they are, e^m times what the cell keeps, which is well below an overflow in these tests."""
    h, c, n, m = state
    i, f, z, o = totals(parameters, x, h, 4)
    c = forget(f) * c * np.exp(m) + np.exp(i) * np.tanh(z)
    n = forget(f) * n * np.exp(m) + np.exp(i)
    m = np.maximum(np.where(state[2] == 0, i, np.log(forget(f)) + m), i)
    h = sigmoid(o) * c / n
    return h, (h, c / np.exp(m), n / np.exp(m), m)


def cfc(timed: bool) -> Step:
    def step(parameters: Parameters, x: Array, state: State) -> tuple[Array, State]:
        features, elapsed = (x[:-1], x[-1]) if timed else (x, 1.0)
        total = parameters["input.weight"] @ features + parameters["recurrent.weight"] @ state[0]
        a = 1.7159 * np.tanh(2 / 3 * (total + parameters["input.bias"]))
        f, g, rate, phase = np.split(parameters["heads.weight"] @ a + parameters["heads.bias"], 4)
        s = sigmoid(rate * elapsed + phase)
        h = np.tanh(f) * (1 - s) + np.tanh(g) * s
        return h, (h,)

    return step


def min_gru(parameters: Parameters, x: Array, state: State) -> tuple[Array, State]:
    (h,) = state
    z = sigmoid(gate(parameters, "input", 0, x, len(h)))
    h = (1 - z) * h + z * gate(parameters, "input", 1, x, len(h))
    return h, (h,)


def min_lstm(parameters: Parameters, x: Array, state: State) -> tuple[Array, State]:
    (h,) = state
    i, f = (sigmoid(gate(parameters, "input", number, x, len(h))) for number in (0, 1))
    h = f / (f + i) * h + i / (f + i) * gate(parameters, "input", 2, x, len(h))
    return h, (h,)


def sru(parameters: Parameters, x: Array, state: State, bias: float = 0.0) -> tuple[Array, State]:
    (c,) = state
    H = len(c)
    f = sigmoid(gate(parameters, "input", 1, x, H) + parameters["v_f.weight"] * c + parameters["b_f"])
    r = sigmoid(gate(parameters, "input", 2, x, H) + parameters["v_r.weight"] * c + parameters["b_r"])
    c = f * c + (1 - f) * gate(parameters, "input", 0, x, H)
    through = parameters["skip.weight"] @ x if "skip.weight" in parameters else np.sqrt(1 + 2 * np.exp(bias)) * x
    return r * c + (1 - r) * through, (c,)


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
