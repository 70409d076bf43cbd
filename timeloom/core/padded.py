"""A batch of sequences of different lengths in one tensor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence, pad_sequence

from timeloom.core.errors import ShapeError


@dataclass(frozen=True)
class Padded:
    """Sequences side by side: `data` (B, T, ...) and the true `lengths` (B,), an int64 tensor.

    What stands in `data` after a sequence's end carries no meaning, and nothing in Timeloom lets it.
    """

    data: Tensor
    lengths: Tensor

    def __post_init__(self) -> None:
        if self.data.dim() < 2:
            raise ShapeError(f"Padded: data has the shape {tuple(self.data.shape)}, wanted (B, T, ...)")
        check_lengths(self.lengths, batch_size=self.data.shape[0], steps=self.data.shape[1], owner="Padded")

    @staticmethod
    def from_list(sequences: Sequence[Tensor], padding_value: float = 0) -> Padded:
        """Stack tensors of shapes (T_i, ...) into one batch; an empty list has no shape to give and is refused."""
        if len(sequences) == 0:
            raise ShapeError("Padded.from_list: no sequences came, at least one was wanted")
        lengths = torch.tensor([len(sequence) for sequence in sequences], device=sequences[0].device)
        return Padded(pad_sequence(list(sequences), batch_first=True, padding_value=padding_value), lengths)

    @staticmethod
    def from_packed(packed: PackedSequence) -> Padded:
        data, lengths = pad_packed_sequence(packed, batch_first=True)
        return Padded(data, lengths.to(data.device))

    def pack(self) -> PackedSequence:
        return pack_padded_sequence(self.data, self.lengths.cpu(), batch_first=True, enforce_sorted=False)

    def to(self, device: torch.device | str) -> Padded:
        return Padded(self.data.to(device), self.lengths.to(device))

    def to_list(self) -> list[Tensor]:
        """The sequences without their padding, each (T_i, ...)."""
        return [row[:length] for row, length in zip(self.data, self.lengths.tolist(), strict=True)]

    def mask(self) -> Tensor:
        """True where a step is real: (B, T), bool."""
        return step_mask(self.lengths, self.data.shape[1])

    def reverse(self) -> Padded:
        """Each sequence backwards inside its own length; the padding stays behind. Twice is the identity."""
        T = self.data.shape[1]
        step = torch.arange(T, device=self.data.device)
        source = torch.where(self.mask(), self.lengths[:, None] - 1 - step, step)  # (B, T)
        index = source.view(*source.shape, *[1] * (self.data.dim() - 2)).expand_as(self.data)
        return Padded(self.data.gather(1, index), self.lengths)

    def last(self) -> Tensor:
        """The last real step of every sequence: (B, ...). A sequence of length 0 has none and is refused."""
        if self.lengths.numel() and int(self.lengths.min()) == 0:
            row = int(self.lengths.argmin())
            raise ShapeError(f"Padded.last: sequence {row} has length 0, so it has no last step")
        return self.data[torch.arange(len(self.lengths), device=self.data.device), self.lengths - 1]

    def __len__(self) -> int:
        return self.data.shape[0]


def step_mask(lengths: Tensor, steps: int) -> Tensor:
    """True where step t lies inside a sequence: lengths (B,) → (B, T), bool."""
    return torch.arange(steps, device=lengths.device) < lengths[:, None]


def check_lengths(lengths: Tensor, *, batch_size: int, steps: int, owner: str) -> None:
    """Raise a ShapeError unless `lengths` is (B,) integers between 0 and T."""
    if lengths.dim() != 1 or len(lengths) != batch_size or lengths.is_floating_point() or lengths.dtype == torch.bool:
        raise ShapeError(
            f"{owner}: lengths do not fit the batch.\n"
            f"  lengths: {tuple(lengths.shape)} of {lengths.dtype}, wanted (B={batch_size},) of int64\n"
            "  Give one integer for each sequence."
        )
    if batch_size and not 0 <= int(lengths.min()) <= int(lengths.max()) <= steps:
        raise ShapeError(
            f"{owner}: lengths lie between {int(lengths.min())} and {int(lengths.max())}, "
            f"but the batch has {steps} steps.\n"
            f"  wanted: 0 ≤ length ≤ T={steps}\n"
            "  Check that data and lengths come from the same batch."
        )
