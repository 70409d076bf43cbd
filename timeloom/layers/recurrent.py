"""A cell over a batch of sequences: any number of layers, either or both directions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from timeloom.core import Padded, ShapeError, UsageError, check_last_axis
from timeloom.scan import Cell, scan, step


class Recurrent(nn.Module):
    """Run a cell over a batch of sequences.

        layer = Recurrent(LSTMCell(80, 256), num_layers=2, bidirectional=True)
        y, state = layer(x, lengths=lengths)  # x (B, T, 80) → y (B, T, 512)

    A state is a tuple with the State of every cell, layer by layer, in each layer forward before backward. `cells` has
    the same order.

    Args:
        cell: The first layer's forward cell, used as it is; the others are made by `cell.like`.
        num_layers: Layers, each reading what the one below it emits.
        bidirectional: Read every sequence from both ends; a layer emits forward and backward side by side.
        dropout: Share of the entries that are dropped between two layers, in training only. One layer alone has no
            such place.
        batch_first: Whether a tensor x is (B, T, I) or (T, B, I).
    """

    def __init__(
        self,
        cell: Cell,
        num_layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
        batch_first: bool = True,
    ):
        super().__init__()
        if not isinstance(cell, Cell):
            raise UsageError(
                f"Recurrent: cell is {cell!r}, wanted an instance of a timeloom Cell.\n"
                "  Give a cell that is built, as in Recurrent(LSTMCell(80, 256))."
            )
        if num_layers < 1:
            raise UsageError(f"Recurrent: num_layers is {num_layers}, wanted 1 or more")
        if not 0 <= dropout < 1:
            raise UsageError(f"Recurrent: dropout is {dropout}, wanted 0 ≤ dropout < 1")
        self.num_layers = num_layers
        self.bidirectional = bidirectional
        self.dropout = dropout
        self.batch_first = batch_first
        directions = 2 if bidirectional else 1
        widths = [cell.input_size] * directions + [directions * cell.output_size] * (directions * (num_layers - 1))
        cells = [cell, *(cell.like(width) for width in widths[1:])]
        self.cells = cast(Sequence[Cell], nn.ModuleList(cells))

    @property
    def input_size(self) -> int:
        """The width of x."""
        return self.cells[0].input_size

    @property
    def output_size(self) -> int:
        """The width of y."""
        return self.cells[-1].output_size * (2 if self.bidirectional else 1)

    def initial_state(self, batch_size: int) -> tuple[Any, ...]:
        """The initial State of every cell."""
        return tuple(cell.initial_state(batch_size) for cell in self.cells)

    def forward(
        self,
        x: Tensor | Padded | PackedSequence,
        state: tuple[Any, ...] | None = None,
        lengths: Tensor | Sequence[int] | None = None,
    ) -> tuple[Tensor | Padded | PackedSequence, tuple[Any, ...]]:
        """Read whole sequences.

        Args:
            x: A tensor (B, T, I), or (T, B, I) without `batch_first`; or a Padded; or a PackedSequence.
            state: The states to begin with, or None for `initial_state(B)`.
            lengths: (B,) integers from 0 to T for a tensor x. None means that every sequence has T steps.

        Returns:
            y, of the kind of x with `output_size` features, zero after a sequence's end; and the final states.

        Raises:
            ShapeError: x, state or lengths do not fit the layer or each other.
            UsageError: `lengths` came beside an x that brings its own.
        """
        if lengths is not None and not isinstance(x, Tensor):
            raise UsageError(
                f"Recurrent: lengths came beside a {type(x).__name__}, which has its own.\n"
                "  wanted: lengths=None\n"
                "  Leave lengths out, or give x as a tensor."
            )
        if isinstance(x, Padded):
            y, state = self._batch_first(x.data, state, x.lengths)
            return Padded(y, x.lengths), state
        if isinstance(x, PackedSequence):
            data, lengths = pad_packed_sequence(x)  # (T, B, I)
            y, state = self._time_first(data, state, lengths)
            return packed_like(x, y, lengths), state
        return self._batch_first(x, state, lengths) if self.batch_first else self._time_first(x, state, lengths)

    def step(self, x: Tensor, state: tuple[Any, ...] | None = None) -> tuple[Tensor, tuple[Any, ...]]:
        """Read one step as it arrives: x (B, I) and the states → y (B, output_size) and the next states.

        Step after step this gives the numbers that `forward` gives for the whole, in constant memory. Raises
        UsageError for a bidirectional layer, which would have to know the future.
        """
        if self.bidirectional:
            raise UsageError(
                "Recurrent.step: the layer is bidirectional, so its output depends on steps that are still to come.\n"
                "  wanted: a layer with bidirectional=False\n"
                "  Read the whole sequence with layer(x), or build the layer without bidirectional."
            )
        cells = list(self.cells)
        if x.dim() != 2 or x.shape[1] != cells[0].input_size:
            self._check_input(x, "B I")
        finals = []
        for layer, (cell, begin) in enumerate(zip(cells, self._begin(state), strict=True)):
            if layer > 0:
                x = F.dropout(x, self.dropout, self.training)
            x, final = step(cell, x, begin)
            finals.append(final)
        return x, tuple(finals)

    def extra_repr(self) -> str:
        options = f"num_layers={self.num_layers}, bidirectional={self.bidirectional}"
        return f"{options}, dropout={self.dropout}, batch_first={self.batch_first}"

    def _batch_first(
        self, x: Tensor, state: tuple[Any, ...] | None, lengths: Tensor | Sequence[int] | None
    ) -> tuple[Tensor, tuple[Any, ...]]:
        self._check_input(x, "B T I")
        y, final = self._time_first(x.transpose(0, 1), state, lengths)
        return y.transpose(0, 1), final

    def _time_first(
        self, x: Tensor, state: tuple[Any, ...] | None, lengths: Tensor | Sequence[int] | None
    ) -> tuple[Tensor, tuple[Any, ...]]:
        """x (T, B, I) → y (T, B, O) and the final states."""
        self._check_input(x, "T B I")
        cells = iter(zip(self.cells, self._begin(state), strict=True))
        finals = []
        for layer in range(self.num_layers):
            if layer > 0:
                x = F.dropout(x, self.dropout, self.training)
            emitted = []
            for reverse in (False, True) if self.bidirectional else (False,):
                cell, begin = next(cells)
                y, final = scan(cell, x, begin, lengths=lengths, reverse=reverse)
                emitted.append(y)
                finals.append(final)
            x = torch.cat(emitted, -1) if self.bidirectional else emitted[0]
        return x, tuple(finals)

    def _begin(self, state: tuple[Any, ...] | None) -> tuple[Any, ...]:
        """One state for each cell, None where the cell's own initial state is wanted."""
        if state is None:
            return (None,) * len(self.cells)
        # A bare State of two fields would pass for the states of two cells if only the number were looked at.
        if not isinstance(state, tuple) or len(state) != len(self.cells) or isinstance(state, self.cells[0].State):
            came = f"a {type(state).__name__}" + (f" of {len(state)}" if isinstance(state, tuple) else "")
            raise ShapeError(
                "Recurrent: state is not one State for each cell.\n"
                f"  state: {came}, wanted a tuple of {len(self.cells)} × {type(self.cells[0]).__name__}.State\n"
                "  Give what an earlier call returned, or None to begin at the initial states."
            )
        return state

    def _check_input(self, x: Tensor, names: str) -> None:
        advice = "Build the layer's cell with the input_size that x has, or check batch_first and what makes x."
        check_last_axis(x, self.input_size, owner="Recurrent", what="x", names=names, advice=advice)


def packed_like(x: PackedSequence, y: Tensor, lengths: Tensor) -> PackedSequence:
    """y (T, B, O) packed in exactly the order of x, so that their data stand line by line."""
    if x.sorted_indices is not None:
        y = y.index_select(1, x.sorted_indices)
        lengths = lengths[x.sorted_indices.cpu()]
    data = pack_padded_sequence(y, lengths).data
    return PackedSequence(data, x.batch_sizes, x.sorted_indices, x.unsorted_indices)
