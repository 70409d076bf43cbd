"""The functions between layers that a cell lets choose."""

from __future__ import annotations

import torch
from torch import Tensor

from timeloom.core import UsageError
from timeloom.scan import Cell


def identity(a: Tensor) -> Tensor:
    return a


def softmax(a: Tensor) -> Tensor:
    return torch.softmax(a, -1)


NONLINEARITIES = {
    "tanh": torch.tanh,
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "identity": identity,
    "softmax": softmax,
}


def checked_nonlinearity(cell: Cell, argument: str, name: str, output: bool = False) -> str:
    """The name, if there is a function of that name; softmax is for outputs alone. Raises UsageError."""
    known = [known for known in NONLINEARITIES if output or known != "softmax"]
    if name not in known:
        raise UsageError(
            f"{type(cell).__name__}: {argument} is {name!r}, wanted one of {', '.join(known)}.\n"
            "  Choose one of them, or write a cell of your own."
        )
    return name
