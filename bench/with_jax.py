"""An LSTM by jax.lax.scan: `python bench/with_jax.py B T H` prints the seconds forward and of a training step."""

from __future__ import annotations

import sys
from typing import Any

import jax  # pyright: ignore[reportMissingImports]
import jax.numpy as jnp  # pyright: ignore[reportMissingImports]
import torch
from timing import alternating


def jax_lstm(shape: tuple[int, int, int]) -> tuple[float, float]:
    """Seconds forward and of a training step of an LSTM by jax.lax.scan, compiled."""
    B, T, H = shape
    draw = lambda *size: jnp.asarray(torch.randn(*size).numpy()) * 0.1  # noqa: E731
    weights = {"input": draw(H, 4 * H), "recurrent": draw(H, 4 * H), "bias": draw(4 * H)}
    x, gradient = draw(T, B, H), draw(T, B, H)

    def layer(weights: Any, x: Any) -> Any:
        projected = x @ weights["input"] + weights["bias"]

        def step(state: Any, now: Any) -> Any:
            h, c = state
            i, f, g, o = jnp.split(now + h @ weights["recurrent"], 4, -1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            h = jax.nn.sigmoid(o) * jnp.tanh(c)
            return (h, c), h

        zero = jnp.zeros((B, H))
        return jax.lax.scan(step, (zero, zero), projected)[1]

    forward = jax.jit(layer)
    training = jax.jit(lambda w, x, g: jax.vjp(layer, w, x)[1](g))
    times = alternating(
        {
            "forward": lambda: jax.block_until_ready(forward(weights, x)),
            "training": lambda: jax.block_until_ready(training(weights, x, gradient)),
        }
    )
    return times["forward"], times["training"]


if __name__ == "__main__":
    B, T, H = map(int, sys.argv[1:])
    print(*jax_lstm((B, T, H)))
