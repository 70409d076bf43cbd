"""The loss over two directions in the space of a model's weights, and gradient descent in that plane."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from timeloom.core import UsageError

STEP = 1e-3  # of the differences that stand for second derivatives, beside the weights' length
TURNS = 30  # of the power iteration


@dataclass(frozen=True)
class Path:
    """Gradient descent in a plane: where it was, (N, 2), and the loss there, (N,)."""

    points: Tensor
    losses: Tensor


class Plane:
    """All weights θ + a·d₁ + b·d₂ of a model, for two directions d; a and b are the plane's coordinates.

    The model's weights are θ when it is made and when each method has ended.

    Args:
        model: Its parameters are the weights.
        loss: Gives the loss of the model as it is, a scalar.
        directions: (2, P) for P weights.
    """

    def __init__(self, model: nn.Module, loss: Callable[[], Tensor], directions: Tensor):
        self.parameters = trainable(model)
        self.loss = loss
        self.directions = directions
        self.begin = flat(self.parameters)

    def losses(self, a: Sequence[float], b: Sequence[float]) -> Tensor:
        """The loss at every pair: (len(a), len(b)). Infinite where the model is beyond its numbers."""
        found = torch.full((len(a), len(b)), math.inf, dtype=torch.float64)
        with torch.no_grad():
            for i, across in enumerate(a):
                for j, along in enumerate(b):
                    self.move(across, along)
                    value = float(self.loss())
                    found[i, j] = value if math.isfinite(value) else math.inf
        self.move(0.0, 0.0)
        return found

    def descend(self, a: float, b: float, rate: float, steps: int, clip: float | None = None) -> Path:
        """Gradient descent from (a, b); gradients longer than `clip` are cut to it. It ends where numbers end."""
        points, losses = [], []
        for _ in range(steps + 1):
            self.move(a, b)
            loss = self.loss()
            gradient = self.directions.double() @ flat(gradients_of(loss, self.parameters)).double()
            points.append((a, b))
            losses.append(loss.item())
            if not bool(gradient.isfinite().all()) or not math.isfinite(losses[-1]):
                break
            if clip is not None:
                gradient = gradient * min(1.0, clip / max(float(gradient.norm()), 1e-30))
            a, b = a - rate * float(gradient[0]), b - rate * float(gradient[1])
        self.move(0.0, 0.0)
        return Path(torch.tensor(points, dtype=torch.float64), torch.tensor(losses, dtype=torch.float64))

    def move(self, a: float, b: float) -> None:
        place(self.parameters, self.begin + a * self.directions[0] + b * self.directions[1])


def trainable(model: nn.Module) -> list[Tensor]:
    """The weights of a model but for those that are held."""
    return [weight for weight in model.parameters() if weight.requires_grad]


def gradients_of(loss: Tensor, weights: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Zero by a weight that the loss does not go through."""
    return torch.autograd.grad(loss, weights, allow_unused=True, materialize_grads=True)


def flat(tensors: Sequence[Tensor]) -> Tensor:
    return torch.cat([tensor.detach().flatten() for tensor in tensors])


def place(parameters: Sequence[Tensor], weights: Tensor) -> None:
    """Write a flat vector into parameters."""
    with torch.no_grad():
        for parameter, part in zip(parameters, weights.split([p.numel() for p in parameters]), strict=True):
            parameter.copy_(part.view_as(parameter))


def along_weights(model: nn.Module, names: Sequence[str]) -> Tensor:
    """The directions of single weights, named as in `encoder.cells.0.recurrent.weight[3,5]`: (2, P)."""
    parameters = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    directions = []
    for name in names:
        found = re.fullmatch(r"([\w.]+)\[(\d+(?:\s*,\s*\d+)*)\]", name)
        if found is None or found[1] not in parameters:
            raise UsageError(
                f"there is no weight {name!r}; wanted a parameter and a place in it, as in "
                f"{next(iter(parameters))}[0,0].\n  The parameters are: {', '.join(parameters)}"
            )
        marks = {key: torch.zeros_like(value) for key, value in parameters.items()}
        try:
            marks[found[1]][tuple(int(place) for place in found[2].split(","))] = 1.0
        except IndexError as error:
            shape = tuple(parameters[found[1]].shape)
            raise UsageError(f"{name} is outside of {found[1]}, which is {shape}") from error
        if int(sum(mark.sum() for mark in marks.values())) != 1:
            raise UsageError(f"{name} is more than one weight; {found[1]} is {tuple(parameters[found[1]].shape)}")
        directions.append(flat(list(marks.values())))
    if len(names) != len(set(names)):
        raise UsageError(f"the weights are the same: {names[0]}")
    return torch.stack(directions)


def at_random(model: nn.Module, seed: int) -> Tensor:
    """Two random directions at a right angle, each as long in every parameter as that is: (2, P).

    Source: Li et al. 2018, arXiv:1712.09913, with the norm of whole parameters.
    """
    generator = torch.Generator().manual_seed(seed)
    parameters = trainable(model)
    drawn = [[torch.randn(p.shape, generator=generator, dtype=p.dtype) for p in parameters] for _ in range(2)]
    one, two = (
        flat([d * (p.detach().norm() / d.norm().clamp(min=1e-12)) for d, p in zip(one, parameters, strict=True)])
        for one in drawn
    )
    two = two - one * (two @ one) / (one @ one)
    return torch.stack([one, two])


def of_most_curvature(model: nn.Module, loss: Callable[[], Tensor], seed: int) -> Tensor:
    """The two directions in which the loss curves most, of length 1: (2, P).

    The top eigenvectors of the Hessian by power iteration, its products by differences of gradients, so that a kernel
    without second derivatives will do.
    """
    parameters = trainable(model)
    begin = flat(parameters)
    step = STEP * float(begin.norm().clamp(min=1.0))

    def gradient(weights: Tensor) -> Tensor:
        place(parameters, weights)
        return flat(gradients_of(loss(), parameters))

    generator = torch.Generator().manual_seed(seed)
    found: list[Tensor] = []
    for _ in range(2):
        v = torch.randn(begin.shape, generator=generator, dtype=begin.dtype)
        for _ in range(TURNS):
            v = v / v.norm().clamp(min=1e-30)
            v = (gradient(begin + step * v) - gradient(begin - step * v)) / (2 * step)
            for other in found:
                v = v - other * (v @ other)
        found.append(v / v.norm().clamp(min=1e-30))
    place(parameters, begin)
    return torch.stack(found)
