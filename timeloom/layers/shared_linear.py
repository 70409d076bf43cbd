"""Scores of classes that have something in common."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from timeloom.core import UsageError


class SharedLinear(nn.Module):
    """A linear score for each of K classes, the weights of each a sum of its own and those of the parts it shares:

        y_k = (w_k + sum of w_p over the n_k parts p that class k shares) · x / sqrt(1 + n_k) + b_k

    What the examples of a frequent class teach about a part, a rare class that has the part need not learn again. No
    class can do less than in `nn.Linear`, for its own weights can be any. The root has scores begin as large as there,
    however many parts a class has.

    Source of classes as compositions: Zhu and Yu 2018, Concept Transfer Learning for Adaptive Language Understanding,
    arXiv:1706.00927.

    Args:
        input_size: Numbers in x.
        parts: What each of the K classes is made of, as in [["fromloc", "city"], ["toloc", "city"], []]. A part that
            one class alone has is left out, for it would be that class' own weights again; parts that the very same
            classes have count each for itself.
    """

    def __init__(self, input_size: int, parts: Sequence[Sequence[Hashable]]):
        super().__init__()
        if not parts or any(isinstance(of_class, str) for of_class in parts):
            raise UsageError(
                f"SharedLinear: parts are {parts!r}, wanted a list of parts for each class, 1 class or more"
            )
        distinct = [list(dict.fromkeys(of_class)) for of_class in parts]
        classes_with = Counter(part for of_class in distinct for part in of_class)
        shared = [part for part, classes in classes_with.items() if classes > 1]
        row_of = {part: len(parts) + number for number, part in enumerate(shared)}
        rows = [[k, *(row_of[part] for part in distinct[k] if part in row_of)] for k in range(len(parts))]
        self.input_size = input_size
        self.weight = nn.Parameter(torch.empty(len(parts) + len(shared), input_size))  # w_k, then w_p
        self.bias = nn.Parameter(torch.empty(len(parts)))
        # The rows of the weights that a class is the sum of, one class after another, and where each begins.
        self.rows: Tensor
        self.begins: Tensor
        self.register_buffer("rows", torch.tensor([row for of_class in rows for row in of_class]), persistent=False)
        lengths = torch.tensor([len(of_class) for of_class in rows])
        self.register_buffer("begins", lengths.cumsum(0) - lengths, persistent=False)
        self.lengths: Tensor  # (K,) 1 + n_k
        self.register_buffer("lengths", lengths, persistent=False)
        for parameter in self.parameters():  # as nn.Linear begins
            nn.init.uniform_(parameter, -(input_size**-0.5), input_size**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        """(..., input_size) → (..., K)."""
        sums = F.embedding_bag(self.rows, self.weight, self.begins, mode="sum")  # (K, input_size)
        return F.linear(x, sums / self.lengths[:, None].to(sums.dtype).sqrt(), self.bias)

    def extra_repr(self) -> str:
        classes = len(self.bias)
        return f"input_size={self.input_size}, classes={classes}, shared_parts={len(self.weight) - classes}"
