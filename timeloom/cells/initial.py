"""How the parameters of a cell begin."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import torch
from torch import Tensor, nn

from timeloom.core import UsageError
from timeloom.scan import Cell

KEEPING = ("forget", "keep")  # gates that hold the old state when they are 1
REPLACING = ("input", "replace")  # gates that let the new in when they are 1


def uniform_by_width(cell: Cell) -> None:
    """Draw every parameter evenly from ±1/√H, as torch.nn.RNN, LSTM and GRU do."""
    bound = cell.hidden_size**-0.5
    for parameter in cell.parameters():
        nn.init.uniform_(parameter, -bound, bound)


def standard(cell: Cell) -> None:
    """Recurrent matrices orthogonal, others as Glorot, each gate's by itself; biases and peepholes 0, scales 1.

    A forget gate's bias is 1.
    """
    for part in cell.modules():
        if isinstance(part, nn.LayerNorm):
            part.reset_parameters()
            continue
        for parameter in part.parameters(recurse=False):
            if parameter.dim() == 1:
                nn.init.zeros_(parameter)
            else:
                for block in gate_matrices(cell, parameter):
                    nn.init.xavier_uniform_(block)
    orthogonal(cell)
    if "forget" in cell.gates and gate_biases(cell, "forget"):
        forget_bias(cell)


def orthogonal(cell: Cell) -> None:
    """Make each gate's recurrent matrix orthogonal: it turns the state and neither shrinks nor stretches it.

    Source: Saxe, McClelland and Ganguli 2014, arXiv:1312.6120.
    """
    for weight in recurrent_weights(cell):
        for block in gate_matrices(cell, weight):
            nn.init.orthogonal_(block)


def identity(cell: Cell, scale: float = 1.0) -> None:
    """Make each gate's recurrent matrix `scale` times the identity, as in `IRNNCell`."""
    for weight in recurrent_weights(cell):
        for block in gate_matrices(cell, weight):
            with torch.no_grad():
                nn.init.eye_(block).mul_(scale)


def forget_bias(cell: Cell, value: float = 1.0) -> None:
    """Set the bias of the forget gate (of a GRU, the keep gate): open at first, so that memory lasts.

    Source: Gers, Schmidhuber and Cummins 2000; Jozefowicz, Zaremba and Sutskever 2015. Raises UsageError for a cell
    without such a gate.
    """
    set_biases(cell, required_gate(cell, KEEPING), torch.full((cell.hidden_size,), float(value)))


def chrono(cell: Cell, longest: int = 100) -> None:
    """Set gates' biases so that units remember for times spread evenly from 1 to `longest` - 1 steps.

    b_keep = log u, u evenly from 1 to longest - 1; b_input = -b_keep. A cell with a replace gate alone gets -log u
    there. Source: Tallec and Ollivier 2018, Can Recurrent Neural Networks Warp Time?, arXiv:1804.11188. Raises
    UsageError for a cell without such a gate.
    """
    if not isinstance(longest, int) or longest < 3:
        raise UsageError(f"chrono: longest is {longest!r}, wanted 3 or more steps")
    times = torch.empty(cell.hidden_size).uniform_(1, longest - 1).log()
    required_gate(cell, (*KEEPING, *REPLACING))
    for gate in cell.gates:
        if gate in KEEPING:
            set_biases(cell, gate, times)
        elif gate in REPLACING:
            set_biases(cell, gate, -times)


INITIALS: dict[str, Callable[[Cell], None]] = {
    "orthogonal": orthogonal,
    "identity": identity,
    "forget-bias": forget_bias,
    "chrono": chrono,
}


NEEDED = {"forget-bias": KEEPING, "chrono": (*KEEPING, *REPLACING)}  # gates whose biases are set


def initialise(module: nn.Module, name: str, **options: float) -> None:
    """Begin every cell in `module` anew by one of `INITIALS`: orthogonal, identity, forget-bias or chrono.

    What that one does not speak of stays as it is. `options` are those of the function of that name. Raises UsageError.
    """
    if name not in INITIALS:
        raise UsageError(f"initialise: name is {name!r}, wanted one of {', '.join(INITIALS)}")
    cells = [part for part in module.modules() if isinstance(part, Cell)]
    if not cells:
        raise UsageError(
            f"initialise: there is no cell in {type(module).__name__}.\n"
            "  wanted: a cell, or a layer or model that holds some; torch.nn's layers and their drop-ins do not\n"
            "  Build Recurrent(LSTMCell(...)) in the place of LSTM(...), or set the parameters by torch.nn.init."
        )
    own = list(inspect.signature(INITIALS[name]).parameters)[1:]
    if strange := [option for option in options if option not in own]:
        raise UsageError(f"initialise: {name} has no option {strange[0]!r}; it has: {', '.join(own) or 'none'}")
    for cell in cells:  # rather refuse all than begin half of a model anew
        if name in ("orthogonal", "identity") and not recurrent_weights(cell):
            raise UsageError(f"{type(cell).__name__}: it has no recurrent matrix that could begin as {name}")
        if name in NEEDED and not gate_biases(cell, required_gate(cell, NEEDED[name])):
            raise no_bias(cell, required_gate(cell, NEEDED[name]))
    for cell in cells:
        INITIALS[name](cell, **options)


def recurrent_weights(cell: Cell) -> list[Tensor]:
    """The matrices that multiply the state; a vector that does is none."""
    weights = [cell.get_submodule(name).get_parameter("weight") for name in cell.recurrent_products]
    return [weight for weight in weights if weight.dim() == 2]


def gate_matrices(cell: Cell, weight: Tensor) -> tuple[Tensor, ...]:
    """A weight by the gates that stand in it one under the other, no more of them than the cell names, if it does."""
    count, rest = divmod(len(weight), cell.hidden_size)
    stacked = rest == 0 and count <= (len(cell.gates) or count)
    return weight.detach().split(cell.hidden_size if stacked else len(weight))


def gate_biases(cell: Cell, gate: str) -> list[Tensor]:
    """The bias of one gate wherever the cell keeps it; torch.nn's cells keep two, of which the second is to be 0."""
    number, letter = cell.gates.index(gate), {"forget": "f", "keep": "z"}.get(gate, "")
    tables: dict[str, Tensor] = dict(cell.named_parameters())
    rows = slice(number * cell.hidden_size, (number + 1) * cell.hidden_size)
    stacked = [tables[name][rows] for name in ("input.bias", "bias", "recurrent.bias") if name in tables]
    own = [tables[name] for name in (f"b_{letter}", f"norm_{letter}.bias") if name in tables]
    return stacked or own


def set_biases(cell: Cell, gate: str, value: Tensor) -> None:
    found = gate_biases(cell, gate)
    if not found:
        raise no_bias(cell, gate)
    with torch.no_grad():
        for bias, number in zip(found, (value, 0), strict=False):
            bias.copy_(torch.as_tensor(number))


def no_bias(cell: Cell, gate: str) -> UsageError:
    return UsageError(f"{type(cell).__name__}: its {gate} gate has no bias.\n  Build the cell with bias=True.")


def required_gate(cell: Cell, wanted: tuple[str, ...]) -> str:
    found = next((gate for gate in cell.gates if gate in wanted), None)
    if found is None:
        has = f"its gates are {', '.join(cell.gates)}" if cell.gates else "it names no gates"
        raise UsageError(f"{type(cell).__name__}: {has}, and this wants one of {', '.join(wanted)}")
    return found
