"""Fair timing: contenders take turns, and each has its median."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

SECONDS = 1.5  # for each contender


def alternating(
    contenders: dict[str, Callable[[], Any]], seconds: float = SECONDS, rounds: int | None = None
) -> dict[str, float]:
    """The median seconds of each contender; they take turns.

    In its turn each runs twice, and the second run counts: the first may have to give back to the system the memory
    that another left (15 ms after a step of pytorch-crf, whoever comes next).
    """
    slowest = 0.0
    for run in contenders.values():
        run()
        begin = time.perf_counter()
        run()
        slowest = max(slowest, time.perf_counter() - begin)
    rounds = rounds or max(5, min(200, math.ceil(seconds / slowest / 2)))
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            run()
            begin = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - begin)
    return {name: statistics.median(taken) for name, taken in times.items()}


def forward_of(layer: nn.Module, x: Tensor) -> Callable[[], None]:
    def run() -> None:
        with torch.no_grad():
            layer(x)

    return run


def training_of(
    layer: Callable[..., Any], x: Tensor, gradient: Tensor, owner: nn.Module | None = None
) -> Callable[[], None]:
    """Forward and back, to the gradients of the input and of every parameter of `owner`, or of the layer."""
    x = x.clone().requires_grad_()
    module = owner or layer
    assert isinstance(module, nn.Module)

    def run() -> None:
        x.grad = None
        module.zero_grad(set_to_none=True)
        layer(x)[0].backward(gradient)

    return run
