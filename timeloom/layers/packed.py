"""PackedSequence, in and out."""

from __future__ import annotations

from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence


def packed_like(x: PackedSequence, y: Tensor, lengths: Tensor) -> PackedSequence:
    """y (T, B, O) packed in exactly the order of x, so that their data stand line by line."""
    if x.sorted_indices is not None:
        y = y.index_select(1, x.sorted_indices)
        lengths = lengths[x.sorted_indices.cpu()]
    data = pack_padded_sequence(y, lengths).data
    return PackedSequence(data, x.batch_sizes, x.sorted_indices, x.unsorted_indices)
