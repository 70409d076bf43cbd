"""torch.nn's recurrent layers with another loop inside: the same arguments, parameters, state dicts and numbers."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from timeloom.cells import ElmanCell, GRUCell, LSTMCell
from timeloom.core import UsageError
from timeloom.layers.packed import packed_like
from timeloom.layers.recurrent import Recurrent
from timeloom.scan import Cell, scan
from timeloom.scan.choose import FUSED_TYPES

NAMES = {  # of torch.nn, for those of our cells
    "input.weight": "weight_ih",
    "recurrent.weight": "weight_hh",
    "input.bias": "bias_ih",
    "recurrent.bias": "bias_hh",
    "projection.weight": "weight_hr",
}


class InPlace(nn.RNNBase):
    """What makes one of torch.nn's layers ours."""

    def __init__(self, *args: Any, **kwargs: Any):
        refuse_ours(kwargs, type(self))
        super().__init__(*args, **kwargs)
        prepare(self)

    def forward(self, input: Any, hx: Any = None) -> Any:
        return forward(self, input, hx, super().forward)

    __call__ = nn.Module.__call__


class RNN(InPlace, nn.RNN):
    """`torch.nn.RNN` by the fused loop; torch's own on other devices, for other types than float32 and float64, and
    while torch.jit traces.

    Arguments, shapes and defaults are those of torch.nn.RNN (batch_first=False). Not for it are torch.jit.script and
    torch's dynamic quantization, which passes it over. For
    zoneout, locked dropout, a learned initial state and the like build `Recurrent(ElmanCell(...))`, which is batch
    first.
    """


class GRU(InPlace, nn.GRU):
    """`torch.nn.GRU` by the fused loop; torch's own on other devices, for other types than float32 and float64, and
    while torch.jit traces.

    Arguments, shapes and defaults are those of torch.nn.GRU (batch_first=False). Not for it are torch.jit.script and
    torch's dynamic quantization, which passes it over. For
    zoneout, locked dropout, a learned initial state and the like build `Recurrent(GRUCell(...))`, which is batch
    first.
    """


class LSTM(InPlace, nn.LSTM):
    """`torch.nn.LSTM` by the fused loop; torch's own on other devices, for other types than float32 and float64, and
    while torch.jit traces.

    Arguments, shapes and defaults are those of torch.nn.LSTM (batch_first=False). Not for it are torch.jit.script and
    torch's dynamic quantization, which passes it over. For
    zoneout, locked dropout, a learned initial state and the like build `Recurrent(LSTMCell(...))`, which is batch
    first.
    """


def refuse_ours(options: dict[str, Any], kind: type[nn.RNNBase]) -> None:
    """Raise a UsageError for an option that torch.nn's layers lack and `Recurrent` has."""
    name = next(base.__name__ for base in (nn.RNN, nn.GRU, nn.LSTM) if issubclass(kind, base))
    cell = "ElmanCell" if name == "RNN" else f"{name}Cell"
    torchs = inspect.signature(nn.RNNBase.__init__).parameters
    for option in options:
        if option in inspect.signature(Recurrent.__init__).parameters and option not in torchs:
            raise UsageError(
                f"{name}: {option} is an option of Recurrent; {name} has those of torch.nn.{name}.\n"
                f"  Build Recurrent({cell}(input_size, hidden_size), {option}=...), which is batch first."
            )


def forward(layer: nn.RNNBase, input: Any, hx: Any, otherwise: Any) -> Any:
    """What torch's own `forward` gives; where that would raise an error, it is left to do so."""
    if not can_be_ours(layer, input) or not fits(layer, input, hx):
        return otherwise(input, hx)
    packed, alone, lengths = isinstance(input, PackedSequence), False, None
    if packed:
        x, lengths = pad_packed_sequence(input)  # (T, B, I), as the caller has the sequences
    else:
        alone = input.dim() == 2
        x = input.unsqueeze(1) if alone else input.transpose(0, 1) if layer.batch_first else input
    state = None if hx is None else tuple(hx) if isinstance(layer, nn.LSTM) else (hx,)
    state = tuple(field.unsqueeze(1) for field in state) if state and alone else state
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
            x = dropped(x, layer, input if packed else None)
    if directions == 1 and x.requires_grad and not (isinstance(layer, nn.LSTM) and x.dtype == torch.float32):
        x = (
            x.clone()
        )  # for `y += ...` and the like, which would write over what the way back needs; torch forbids it there
    fields = [torch.stack(fields) for fields in zip(*finals, strict=True)]  # each (layers · directions, B, H)
    if alone:
        x, fields = x.squeeze(1), [field.squeeze(1) for field in fields]
    elif packed:
        assert lengths is not None
        x = packed_like(input, x, lengths)
    elif layer.batch_first:
        x = x.transpose(0, 1)
    return x, tuple(fields) if len(fields) > 1 else fields[0]


def prepare(layer: nn.RNNBase) -> None:
    """Make the cells now: a compiler or a functional transform may be watching when they are first called."""
    if layer.weight_ih_l0.dtype in FUSED_TYPES and layer.weight_ih_l0.is_cpu:
        for depth in range(layer.num_layers):
            for direction in range(1 + layer.bidirectional):
                cell_of(layer, depth, direction)


def can_be_ours(layer: nn.RNNBase, input: Any) -> bool:
    """Whether there is a kernel for this kind of input, and no one who has to see torch's own operations."""
    data = input.data if isinstance(input, PackedSequence) else input
    return (
        isinstance(data, Tensor)
        and not torch.compiler.is_exporting()
        and data.is_cpu
        and data.dtype in FUSED_TYPES
        and data.dtype == layer.weight_ih_l0.dtype
        and not torch.is_autocast_enabled("cpu")
        and not torch.jit.is_tracing()  # pyright: ignore[reportPrivateImportUsage]
    )


def fits(layer: nn.RNNBase, input: Any, hx: Any) -> bool:
    """Whether torch would take these shapes: x (T, B, I), (T, I) or packed, hx with (layers · directions, B, H) or
    without B."""
    packed = isinstance(input, PackedSequence)
    data = input.data if packed else input
    if data.shape[-1] != layer.input_size or (not packed and (data.dim() not in (2, 3) or 0 in data.shape[:-1])):
        return False
    if hx is None:
        return True
    state = tuple(hx) if isinstance(layer, nn.LSTM) and isinstance(hx, tuple | list) else (hx,)
    widths = (
        (layer.proj_size or layer.hidden_size, layer.hidden_size)
        if isinstance(layer, nn.LSTM)
        else (layer.hidden_size,)
    )
    count = layer.num_layers * (2 if layer.bidirectional else 1)
    batch = (
        ()
        if not packed and data.dim() == 2
        else (int(input.batch_sizes[0]) if packed else data.shape[0 if layer.batch_first else 1],)
    )
    return len(state) == len(widths) and all(
        isinstance(field, Tensor)
        and field.dtype == data.dtype
        and field.is_cpu
        and tuple(field.shape) == (count, *batch, width)
        for field, width in zip(state, widths, strict=True)
    )


def dropped(x: Tensor, layer: nn.RNNBase, packed: PackedSequence | None) -> Tensor:
    """x (T, B, W) with the entries dropped that torch would drop, which draws for the steps that a packed batch has."""
    if packed is None or not (layer.dropout and layer.training):
        return F.dropout(x, layer.dropout, layer.training)
    drawn = F.dropout(x.new_ones(len(packed.data), x.shape[-1]), layer.dropout)
    mask = PackedSequence(drawn, packed.batch_sizes, packed.sorted_indices, packed.unsorted_indices)
    return x * pad_packed_sequence(mask)[0]


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
