"""torch.nn's recurrent layers with another loop inside: the same arguments, parameters, state dicts and numbers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from timeloom.cells import ElmanCell, GRUCell, LSTMCell
from timeloom.layers.recurrent import packed_like
from timeloom.scan import Cell, scan
from timeloom.scan.choose import FUSED_TYPES

NAMES = {  # of torch.nn, for those of our cells
    "input.weight": "weight_ih",
    "recurrent.weight": "weight_hh",
    "input.bias": "bias_ih",
    "recurrent.bias": "bias_hh",
    "projection.weight": "weight_hr",
}


class RNN(nn.RNN):
    """`torch.nn.RNN` by the fused loop; torch's own on other devices, and for other types than float32 and float64."""

    def forward(self, input: Any, hx: Any = None) -> Any:
        return forward(self, input, hx, super().forward)

    __call__ = nn.Module.__call__


class GRU(nn.GRU):
    """`torch.nn.GRU` by the fused loop; torch's own on other devices, and for other types than float32 and float64."""

    def forward(self, input: Any, hx: Any = None) -> Any:
        return forward(self, input, hx, super().forward)

    __call__ = nn.Module.__call__


class LSTM(nn.LSTM):
    """`torch.nn.LSTM` by the fused loop; torch's own on other devices, and for other types than float32 and float64."""

    def forward(self, input: Any, hx: Any = None) -> Any:
        return forward(self, input, hx, super().forward)

    __call__ = nn.Module.__call__


def forward(layer: nn.RNNBase, input: Any, hx: Any, otherwise: Any) -> Any:
    """What torch's own `forward` gives, with its shapes and its errors."""
    packed = isinstance(input, PackedSequence)
    data = input.data if packed else input
    if (
        not isinstance(data, Tensor)
        or not data.is_cpu
        or data.dtype not in FUSED_TYPES
        or torch.is_autocast_enabled("cpu")
    ):
        return otherwise(input, hx)
    lengths, alone = None, False
    if packed:
        x, lengths = pad_packed_sequence(input)  # (T, B, I), as the caller has the sequences
    else:
        if data.dim() not in (2, 3):
            name = type(layer).__name__
            raise ValueError(f"{name}: Expected input to be 2D or 3D, got {data.dim()}D instead")
        alone = data.dim() == 2
        x = data.unsqueeze(1) if alone else data.transpose(0, 1) if layer.batch_first else data
    state = states_of(layer, hx, x, alone)
    finals: list[Any] = []
    directions = 2 if layer.bidirectional else 1
    for depth in range(layer.num_layers):
        emitted = []
        for direction in range(directions):
            cell, weights = cell_of(layer, depth, direction)
            begin = None if state is None else cell.State(*(field[len(finals)] for field in state))
            y, final = scan(cell, x, begin, lengths=lengths, reverse=direction == 1, parameters=weights)
            emitted.append(y)
            finals.append(final)
        x = torch.cat(emitted, -1) if directions == 2 else emitted[0]
        if depth + 1 < layer.num_layers:
            x = F.dropout(x, layer.dropout, layer.training)
    fields = [torch.stack(fields) for fields in zip(*finals, strict=True)]  # each (layers · directions, B, H)
    if alone:
        x, fields = x.squeeze(1), [field.squeeze(1) for field in fields]
    elif packed:
        assert lengths is not None
        x = packed_like(input, x, lengths)
    elif layer.batch_first:
        x = x.transpose(0, 1)
    return x, tuple(fields) if len(fields) > 1 else fields[0]


def states_of(layer: nn.RNNBase, hx: Any, x: Tensor, alone: bool) -> tuple[Tensor, ...] | None:
    """The states to begin with, each (layers · directions, B, H), checked by torch's own words."""
    if x.shape[-1] != layer.input_size:
        raise RuntimeError(
            f"input.size(-1) must be equal to input_size. Expected {layer.input_size}, got {x.shape[-1]}"
        )
    if hx is None:
        return None
    state = tuple(hx) if isinstance(layer, nn.LSTM) else (hx,)
    state = tuple(field.unsqueeze(1) for field in state) if alone else state
    count = layer.num_layers * (2 if layer.bidirectional else 1)
    widths = (layer.proj_size or layer.hidden_size, layer.hidden_size)
    for field, width, name in zip(state, widths, ("hidden[0]", "hidden[1]"), strict=False):
        wanted = (count, x.shape[1], width)
        if tuple(field.shape) != wanted:
            said = f"Expected {name if len(state) > 1 else 'hidden'} size {wanted}, got {list(field.shape)}"
            raise RuntimeError(said)
    return state


def cell_of(layer: nn.RNNBase, depth: int, direction: int) -> tuple[Cell, dict[str, Tensor]]:
    """The cell of one layer and direction, and what is to stand for its parameters.

    It has the layer's own parameters. What a program has put in their place (weight norm, weight dropout) comes beside.
    """
    cells: dict[tuple[int, int], Cell] = layer.__dict__.setdefault("_cells", {})
    suffix = f"_l{depth}" + "_reverse" * direction
    cell = cells.get((depth, direction))
    if cell is None or not holds(layer, cell, suffix):
        cell = cells[depth, direction] = made(layer, depth)
        for name in dict(cell.named_parameters()):
            value = getattr(layer, NAMES[name] + suffix)
            part, _, last = name.rpartition(".")
            value = value if isinstance(value, nn.Parameter) else nn.Parameter(value.detach().clone())
            setattr(cell.get_submodule(part), last, value)
    weights = {name: getattr(layer, NAMES[name] + suffix) for name, _ in cell.named_parameters()}
    return cell, {name: value for name, value in weights.items() if value is not cell.get_parameter(name)}


def holds(layer: nn.RNNBase, cell: Cell, suffix: str) -> bool:
    """Whether the parameters of the layer are still those that its cell was given."""
    for name, own in cell.named_parameters():
        value = getattr(layer, NAMES[name] + suffix)
        if value is not own and (isinstance(value, nn.Parameter) or value.dtype != own.dtype):
            return False
    return True


def made(layer: nn.RNNBase, depth: int) -> Cell:
    """A cell of the layer's kind whose parameters are still to come: without memory, without drawing numbers."""
    width = layer.input_size if depth == 0 else (layer.proj_size or layer.hidden_size) * (1 + layer.bidirectional)
    with torch.device("meta"):
        if isinstance(layer, nn.LSTM):
            return LSTMCell(width, layer.hidden_size, layer.bias, layer.proj_size)
        if isinstance(layer, nn.GRU):
            return GRUCell(width, layer.hidden_size, layer.bias)
        return ElmanCell(width, layer.hidden_size, layer.nonlinearity, layer.bias)  # type: ignore[arg-type]
