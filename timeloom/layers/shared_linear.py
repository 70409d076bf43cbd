"""Scores of classes that have something in common."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from timeloom.core import UsageError


class SharedLinear(nn.Module):
    """A linear score for each of K classes, the weights of each a sum of its own and those of its n_k parts:

        y_k = (w_k + sum of w_p over the parts p of class k) · x / sqrt(1 + n_k) + b_k

    What the examples of a frequent class teach about a part, a rare class that has the part need not learn again. No
    class can do less than in `nn.Linear`, for its own weights can be any. The root has scores begin as large as there,
    however many parts a class has.

    Source of classes as compositions: Zhu and Yu 2018, Concept Transfer Learning for Adaptive Language Understanding,
    arXiv:1706.00927.

    Args:
        input_size: Numbers in x.
        parts: What each of the K classes is made of, by name, as in [["fromloc", "city"], ["toloc", "city"], []]. A
            part that one class alone has is left out, for it would be that class' own weights again.
    """

    def __init__(self, input_size: int, parts: Sequence[Sequence[str]]):
        super().__init__()
        if not parts:
            raise UsageError("SharedLinear: parts are empty, wanted a list of names for each class, 1 class or more")
        classes_with = Counter(part for of_class in parts for part in set(of_class))
        names = sorted(part for part, classes in classes_with.items() if classes > 1)
        number_of = {name: len(parts) + number for number, name in enumerate(names)}
        self.input_size = input_size
        self.weight = nn.Parameter(torch.empty(len(parts) + len(names), input_size))  # w_k, then w_p
        self.bias = nn.Parameter(torch.empty(len(parts)))
        made_of = torch.eye(len(parts), len(self.weight))
        for row, of_class in zip(made_of, parts, strict=True):
            row[[number_of[part] for part in of_class if part in number_of]] = 1.0
        self.made_of: Tensor  # (K, K + P): what a class has of each weight
        self.register_buffer("made_of", made_of / made_of.sum(1, keepdim=True).sqrt(), persistent=False)
        for parameter in self.parameters():  # as nn.Linear begins
            nn.init.uniform_(parameter, -(input_size**-0.5), input_size**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        """(..., input_size) → (..., K)."""
        return F.linear(x, self.made_of @ self.weight, self.bias)

    def extra_repr(self) -> str:
        classes, rows = self.made_of.shape
        return f"input_size={self.input_size}, classes={classes}, parts={rows - classes}"
