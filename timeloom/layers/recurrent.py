"""A cell over a batch of sequences: any number of layers, either or both directions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from timeloom.core import Padded, UsageError, check_last_axis, step_mask
from timeloom.layers.arguments import checked_resets, checked_share, checked_switch, hidden_sizes_of
from timeloom.layers.packed import packed_like
from timeloom.layers.segments import Memory, checked_memory, scan_in_memory
from timeloom.layers.states import check_states, learnable, named_tensors, state_of
from timeloom.layers.varied import Varied, check_products, weight_of
from timeloom.scan import Cell, step
from timeloom.scan.cell import require_sizes


class Recurrent(nn.Module):
    """Run a cell over a batch of sequences.

        layer = Recurrent(LSTMCell(80, 256), num_layers=2, bidirectional=True)
        y, state = layer(x, lengths=lengths)  # x (B, T, 80) → y (B, T, 512)

    A state is a tuple with the State of every cell, layer by layer, in each layer forward before backward. `cells` has
    the same order. What is random acts in training only, and is drawn anew for every call.

    Args:
        cell: The first layer's forward cell, used as it is; the others are made by `cell.like`.
        num_layers: Layers, each reading what the one below it emits.
        bidirectional: Read every sequence from both ends; a layer emits forward and backward side by side.
        dropout: Share of the entries that are dropped between two layers. One layer alone has no such place.
        batch_first: Whether a tensor x is (B, T, I) or (T, B, I).
        hidden_sizes: The hidden size of each layer, the first that of `cell`; instead of num_layers.
        locked_dropout: Share of each layer's input features that are dropped, the same in all steps of a sequence
            (Gal and Ghahramani 2016, arXiv:1512.05287).
        recurrent_dropout: Share of what each recurrent product reads that is dropped, the same in all steps (the same).
        zoneout: Share of the units that keep their state of the step before (Krueger et al. 2017, arXiv:1606.01305);
            a unit keeps all its fields together, where the paper draws for h and c apart. A cell that emits more than
            its state (SRU) emits what it computed.
        weight_dropout: Share of the recurrent weights that are dropped, the same in all steps and sequences
            (DropConnect; Merity, Keskar and Socher 2018, arXiv:1708.02182).
        residual: Add to what each layer from the second on emits what the layer below it emitted, with nothing dropped.
        learn_initial_state: Learn the state that sequences begin in, from the cell's own on (of sLSTM, h alone).
        memory: What is kept for the way back: "full", all of it; "sqrt", the states at the beginnings of √T segments,
            and all of one segment at a time; or a number of bytes for each cell, which sets the length of the segments;
            input, output and their gradients come on top. The gradients are the same to rounding; RESULTS.md has times.
    """

    def __init__(
        self,
        cell: Cell,
        num_layers: int | None = None,
        bidirectional: bool = False,
        dropout: float = 0.0,
        batch_first: bool = True,
        *,
        hidden_sizes: Sequence[int] | None = None,
        locked_dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        zoneout: float = 0.0,
        weight_dropout: float = 0.0,
        residual: bool = False,
        learn_initial_state: bool = False,
        memory: Memory = "full",
    ):
        super().__init__()
        if not isinstance(cell, Cell):
            raise UsageError(
                f"Recurrent: cell is {cell!r}, wanted an instance of a timeloom Cell.\n"
                "  Give a cell that is built, as in Recurrent(LSTMCell(80, 256))."
            )
        require_sizes(cell)
        sizes = hidden_sizes_of(cell, num_layers, hidden_sizes)
        self.num_layers = len(sizes)
        self.bidirectional = checked_switch("bidirectional", bidirectional)
        self.batch_first = checked_switch("batch_first", batch_first)
        self.dropout = checked_share("dropout", dropout)
        self.locked_dropout = checked_share("locked_dropout", locked_dropout)
        self.recurrent_dropout = checked_share("recurrent_dropout", recurrent_dropout)
        self.zoneout = checked_share("zoneout", zoneout)
        self.weight_dropout = checked_share("weight_dropout", weight_dropout)
        self.residual = checked_switch("residual", residual)
        self.memory: Memory = checked_memory(memory)
        for name in ("recurrent_dropout", "weight_dropout"):
            if getattr(self, name):
                check_products(cell, name)
        if cell.timed and (len(sizes) > 1 or bidirectional or locked_dropout):
            raise UsageError(
                f"Recurrent: {type(cell).__name__} reads the time since the step before as the last number of x.\n"
                "  wanted: one layer, read forwards, without locked_dropout; anything else would take a unit of the "
                "layer below, the time to the wrong neighbour, or a time that was dropped\n"
                "  Leave the option out, or put layers without a time upon this one."
            )
        directions = 2 if bidirectional else 1
        cells, width = [cell], cell.input_size
        for layer, size in enumerate(sizes):
            for _ in range(directions - (layer == 0)):
                cells.append(cell.like(width) if hidden_sizes is None else cell.like(width, size))
            emitted = directions * cells[-1].output_size
            if residual and layer > 0 and emitted != width:
                raise UsageError(
                    f"Recurrent: residual cannot add the {width} features that layer {layer + 1} reads to the "
                    f"{emitted} that it emits.\n"
                    "  Give every layer the same hidden size, or leave residual out."
                )
            width = emitted
        self.cells = cast(Sequence[Cell], nn.ModuleList(cells))
        self.learned = nn.ParameterList()
        if checked_switch("learn_initial_state", learn_initial_state):
            for each in cells:
                initial = each.initial_state(1)
                named = zip(initial._fields, initial, strict=True)
                self.learned.extend(field.detach().clone() for name, field in named if name in learnable(each))
        self._varied: dict[tuple[int, bool, bool, bool], Varied] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_varied": {}}  # made again when needed, and of classes that no file can name

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
        learned = iter(self.learned)
        states = []
        for cell in self.cells:
            initial = cell.initial_state(batch_size)
            if len(self.learned):
                named = zip(initial._fields, initial, strict=True)
                initial = cell.State(
                    *(next(learned).expand(batch_size, -1) if name in learnable(cell) else f for name, f in named)
                )
            states.append(initial)
        return tuple(states)

    def forward(
        self,
        x: Tensor | Padded | PackedSequence,
        state: tuple[Any, ...] | None = None,
        lengths: Tensor | Sequence[int] | None = None,
        *,
        resets: Tensor | None = None,
        all_states: bool = False,
    ) -> Any:
        """Read whole sequences.

        Args:
            x: A tensor (B, T, I), or (T, B, I) without `batch_first`; or a Padded; or a PackedSequence.
            state: The states to begin with, or None for `initial_state(B)`.
            lengths: (B,) integers from 0 to T for a tensor x. None means that every sequence has T steps.
            resets: True at each step that begins a new sequence inside a row of x: what stood before it reaches nothing
                from there on. (B, T), or (T, B) without `batch_first`; not beside a PackedSequence.
            all_states: Return the states after every step, too.

        Returns:
            y, of the kind of x with `output_size` features, zero after a sequence's end; and the final states. With
            `all_states` a third: the State of every cell after each step, with fields (B, T, ...), or (T, B, ...)
            without `batch_first` and for a PackedSequence.

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
            y, *rest = self._batch_first(x.data, state, x.lengths, resets, all_states)
            return Padded(y, x.lengths), *rest
        if isinstance(x, PackedSequence):
            if resets is not None:
                raise UsageError("Recurrent: resets came beside a PackedSequence; give x as a Padded or as a tensor")
            data, lengths = pad_packed_sequence(x)  # (T, B, I)
            y, *rest = self._time_first(data, state, lengths, None, all_states)
            return packed_like(x, y, lengths), *rest
        run = self._batch_first if self.batch_first else self._time_first
        return run(x, state, lengths, resets, all_states)

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
        if self.training and (self.locked_dropout or self.recurrent_dropout or self.zoneout or self.weight_dropout):
            raise UsageError(
                "Recurrent.step: the layer drops what stays dropped over a sequence, and one step cannot know that.\n"
                "  Call layer.eval() first; train on whole sequences with layer(x)."
            )
        # The list's own table: each look at self.cells goes through nn.Module, and a step is short.
        cells: list[Any] = [*cast(nn.Module, self._modules["cells"])._modules.values()]
        if not isinstance(x, Tensor) or x.dim() != 2 or x.shape[1] != cells[0].input_size:
            self._check_input(x, "B I")
        finals = []
        for layer, (cell, begin) in enumerate(zip(cells, self._begin(state, x.shape[0], cells), strict=True)):
            read = F.dropout(x, self.dropout, self.training) if layer > 0 else x
            if self.zoneout:
                varied = self._varied_of(layer, resets=False)
                begin = cell.initial_state(x.shape[0]) if begin is None else begin
                y, final = step(varied, torch.cat([read, *self._shares(varied, read)], -1), varied.State(*begin))
                final = cell.State(*final)
            else:
                y, final = step(cell, read, begin)
            x = y + x if self.residual and layer > 0 else y
            finals.append(final)
        return x, tuple(finals)

    def pack_state(self, state: tuple[Any, ...]) -> dict[str, Tensor]:
        """A state as named tensors, which any file format for tensors takes: `{"0.h": ..., "0.c": ..., "1.h": ...}`."""
        if state is None:
            raise UsageError("Recurrent.pack_state: the state is None; give what a call returned, or initial_state(B)")
        check_states(state, self.cells)
        return named_tensors(state)

    def unpack_state(self, tensors: Mapping[str, Tensor]) -> tuple[Any, ...]:
        """The state that `pack_state` made the tensors of. Raises UsageError where one is missing or does not fit."""
        return state_of(tensors, self.cells)

    def extra_repr(self) -> str:
        options = {
            name: getattr(self, name)
            for name in ("locked_dropout", "recurrent_dropout", "zoneout", "weight_dropout", "residual")
            if getattr(self, name)
        }
        if len(self.learned):
            options["learn_initial_state"] = True
        if self.memory != "full":
            options["memory"] = self.memory
        said = f"num_layers={self.num_layers}, bidirectional={self.bidirectional}, dropout={self.dropout}, "
        said += f"batch_first={self.batch_first}"
        return ", ".join([said, *(f"{name}={value}" for name, value in options.items())])

    def _batch_first(
        self,
        x: Tensor,
        state: tuple[Any, ...] | None,
        lengths: Tensor | Sequence[int] | None,
        resets: Tensor | None,
        all_states: bool,
    ) -> tuple[Any, ...]:
        self._check_input(x, "B T I")
        turned = None if resets is None else checked_resets(resets, x.shape[:2]).transpose(0, 1)
        y, final, *states = self._time_first(x.transpose(0, 1), state, lengths, turned, all_states)
        for every in states:
            states = [tuple(type(part)(*(field.transpose(0, 1) for field in part)) for part in every)]
        return y.transpose(0, 1), final, *states

    def _time_first(
        self,
        x: Tensor,
        state: tuple[Any, ...] | None,
        lengths: Tensor | Sequence[int] | None,
        resets: Tensor | None,
        all_states: bool,
    ) -> tuple[Any, ...]:
        """x (T, B, I) → y (T, B, O) and the final states, and with `all_states` those after every step."""
        self._check_input(x, "T B I")
        if resets is not None:
            resets = checked_resets(resets, x.shape[:2])
            if lengths is not None:  # what is said of the padding says nothing
                resets = resets.bool() & step_mask(torch.as_tensor(lengths, device=x.device), x.shape[0]).T
        begins = self._begin(state, x.shape[1], self.cells)
        fresh = self.initial_state(x.shape[1]) if resets is not None else begins
        finals, every, number = [], [], 0
        for layer in range(self.num_layers):
            below = x
            if layer > 0:
                x = F.dropout(x, self.dropout, self.training)
            if self.locked_dropout and self.training:
                x = x * F.dropout(x.new_ones(1, *x.shape[1:]), self.locked_dropout)
            emitted = []
            for reverse in (False, True) if self.bidirectional else (False,):
                y, final, *states = self._run(
                    number, x, begins[number], fresh[number], lengths, reverse, resets, all_states
                )
                emitted.append(y)
                finals.append(final)
                every += states
                number += 1
            y = torch.cat(emitted, -1) if self.bidirectional else emitted[0]
            x = below + y if self.residual and layer > 0 else y
        return (x, tuple(finals), tuple(every)) if all_states else (x, tuple(finals))

    def _run(
        self,
        number: int,
        x: Tensor,
        begin: Any,
        fresh: Any,
        lengths: Tensor | Sequence[int] | None,
        reverse: bool,
        resets: Tensor | None,
        all_states: bool,
    ) -> tuple[Any, ...]:
        """One cell over time: what `scan` returns."""
        cell = self.cells[number]
        weights = self._dropped_weights(cell)
        masked = bool(self.recurrent_dropout) and self.training
        if resets is None and not masked and not self.zoneout:
            return scan_in_memory(cell, x, begin, lengths, reverse, all_states, weights, self.memory)
        varied = self._varied_of(number, resets is not None)
        begin = cell.initial_state(x.shape[1]) if begin is None else begin
        columns = [x]
        if resets is not None:
            # Read backwards, a sequence begins where the next one, met before it, ends.
            here = torch.cat([resets[1:], resets.new_zeros(1, begin[0].shape[0])])[: x.shape[0]] if reverse else resets
            columns.append(here[..., None].to(x))
        columns += self._shares(varied, x)
        whole = varied.initial_state(x.shape[1])
        masks = [F.dropout(mask, self.recurrent_dropout) for mask in whole[varied.own :][: len(varied.products)]]
        state = varied.State(*begin, *masks, *(fresh if resets is not None else ()))
        named = {f"cell.{name}": weight for name, weight in (weights or {}).items()}
        whole_x = torch.cat(columns, -1)
        found = scan_in_memory(varied, whole_x, state, lengths, reverse, all_states, named, self.memory)
        return found[0], *(cell.State(*part[: varied.own]) for part in found[1:])

    def cells_run(self) -> list[Cell]:
        """The cells as a call without resets runs them now, with the dropout and zoneout around their steps."""
        masked = bool(self.recurrent_dropout) and self.training
        plain = not masked and not self.zoneout
        return [cell if plain else self._varied_of(number, False) for number, cell in enumerate(self.cells)]

    def _varied_of(self, number: int, resets: bool) -> Varied:
        masked = bool(self.recurrent_dropout) and self.training
        key = (number, resets, bool(self.zoneout), masked)
        found = self._varied.get(key)
        if found is None or found.cell is not self.cells[number]:
            found = self._varied[key] = Varied(self.cells[number], resets, bool(self.zoneout), masked)
        return found

    def _shares(self, varied: Varied, x: Tensor) -> list[Tensor]:
        """What every unit keeps of its state in each step, (..., width of the fields); nothing without zoneout."""
        if not self.zoneout:
            return []
        shares = x.new_full((*x.shape[:-1], sum(varied.widths)), self.zoneout)
        return [shares.bernoulli_(self.zoneout) if self.training else shares]

    def _dropped_weights(self, cell: Cell) -> dict[str, Tensor] | None:
        if not (self.weight_dropout and self.training):
            return None
        weights = {f"{name}.weight": weight_of(cell, name) for name in cell.recurrent_products}
        own = dict(cell.named_parameters())
        for name in weights:
            if name not in own:
                raise UsageError(
                    f"Recurrent: weight_dropout drops parts of the parameter {name} of {type(cell).__name__}, "
                    "and that is computed from others (weight norm, another parametrization).\n  Use one of the two."
                )
        return {name: F.dropout(weight, self.weight_dropout) for name, weight in weights.items()}

    def _begin(self, state: tuple[Any, ...] | None, batch_size: int, cells: Sequence[Cell]) -> tuple[Any, ...]:
        """One state for each cell, None where the cell's own initial state is wanted."""
        if state is None:
            return self.initial_state(batch_size) if len(self.learned) else (None,) * len(cells)
        check_states(state, cells)
        return state

    def _check_input(self, x: Tensor, names: str) -> None:
        advice = "Build the layer's cell with the input_size that x has, or check batch_first and what makes x."
        if isinstance(x, Tensor) and x.dim() == len(names.split()) - 1:
            advice = "Give the one sequence an axis for the batch: x[None] with batch_first, x[:, None] without."
            if names == "B I":
                advice = "Give the one step an axis for the batch: x[None]."
        check_last_axis(x, self.input_size, owner="Recurrent", what="x", names=names, advice=advice)
