"""Whether native code can read a tensor: plain, dense, with memory that is its own to read."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

PLAIN = (Tensor, nn.Parameter)  # a subclass of these may hold its numbers anywhere, or in two tensors


def unreadable(tensors: Iterable[Tensor]) -> Tensor | None:
    """The first tensor whose numbers native code must not look for in memory; None if there is none."""
    for tensor in tensors:
        if type(tensor) not in PLAIN or tensor.layout is not torch.strided or not has_memory(tensor):
            return tensor
    return None


def has_memory(tensor: Tensor) -> bool:
    """Whether there is something at its address: not in zeros that are not written out, nor where memory was freed."""
    try:
        return bool(tensor.data_ptr()) or not tensor.numel()
    except RuntimeError:  # torch: it has no storage, as a wrapper of a functional transform
        return False


def why(tensor: Tensor, what: str) -> str:
    """In words, why `what` cannot be read."""
    if type(tensor) not in PLAIN:
        return (
            f"{what} is a {type(tensor).__name__}, and a kernel reads a plain torch.Tensor or torch.nn.Parameter; "
            "where its numbers are those of one, tensor.as_subclass(torch.Tensor) is"
        )
    if tensor.layout is not torch.strided:
        return f"{what} has the layout {tensor.layout}, and a kernel reads dense tensors; tensor.to_dense() is one"
    return f"{what} has no memory that a kernel could read"


def resolved(tensors: Iterable[Tensor]) -> list[Tensor]:
    """The tensors with their signs written out: a view with a pending negation is read without it in memory."""
    return [tensor.resolve_neg() if tensor.is_neg() else tensor for tensor in tensors]
