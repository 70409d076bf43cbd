"""Words about shapes, for errors that say what came and what was wanted."""

from __future__ import annotations

from torch import Tensor

from timeloom.core.errors import ShapeError


def named(tensor: Tensor, names: str) -> str:
    """The shape with a letter before each size: `named(x, "B T I")` gives `(B=16, T=200, I=40)`."""
    letters = names.split()
    if tensor.dim() != len(letters):
        return str(tuple(tensor.shape))
    return "(" + ", ".join(f"{letter}={size}" for letter, size in zip(letters, tensor.shape, strict=True)) + ")"


def check_last_axis(tensor: Tensor, size: int, *, owner: str, what: str, names: str, advice: str) -> None:
    """Raise a ShapeError in four parts (where, what came, what was wanted, what to do) unless `tensor` fits.

    `names` are the letters of the wanted axes, the last one being the axis that must have `size` features.
    """
    letters = names.split()
    if not isinstance(tensor, Tensor):
        raise ShapeError(
            f"{owner}: {what} is a {type(tensor).__name__}, wanted a tensor ({', '.join(letters)}).\n"
            "  Make it a tensor, as with torch.as_tensor."
        )
    wanted = "(" + ", ".join([*letters[:-1], f"{letters[-1]}={size}"]) + ")"
    if tensor.dim() != len(letters):
        raise ShapeError(
            f"{owner}: {what} has {tensor.dim()} axes, {len(letters)} were wanted.\n"
            f"  {what}: {tuple(tensor.shape)}, wanted {wanted}\n"
            f"  {advice}"
        )
    if tensor.shape[-1] != size:
        raise ShapeError(
            f"{owner}: {what} has {tensor.shape[-1]} features in its last axis, {size} were wanted.\n"
            f"  {what}: {named(tensor, names)}, wanted {wanted}\n"
            f"  {advice}"
        )
