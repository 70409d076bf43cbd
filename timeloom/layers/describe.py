"""What a model's cells are, in words and numbers: equations, parameters, memory, sources."""

from __future__ import annotations

import inspect
import re
from collections import Counter
from collections.abc import Mapping

import torch
from torch import nn

from timeloom.layers.drop_in import GRU, LSTM, RNN, cell_of
from timeloom.scan import Cell
from timeloom.scan.choose import fused_or_reason
from timeloom.scan.fused import Fused


def cells_in(module: nn.Module) -> list[Cell]:
    """The cells of a model, those of `timeloom.LSTM`, `GRU` and `RNN` included."""
    found: list[Cell] = []
    for part in module.modules():
        if isinstance(part, Cell):
            found.append(part)
        elif isinstance(part, RNN | GRU | LSTM):
            directions = 2 if part.bidirectional else 1
            found += [cell_of(part, depth, way)[0] for depth in range(part.num_layers) for way in range(directions)]
    return found


def describe(module: nn.Module) -> str:
    """The cells of a layer or a model: the equation in words, parameters, states, and memory for each step.

    Under them stands what else has parameters, such as learned states and a read-out.

    Memory is what training keeps of each step of each sequence for the way back, as the cell's kernel does it, or
    nothing where the cell has none.
    """
    texts = []
    for (kind, *_), cells in grouped(cells_in(module)).items():
        cell, count = cells[0], len(cells)
        words = inspect.cleandoc(kind.__doc__ or "")
        sentence = " ".join(words.split("\n\n")[0].split())
        equation = re.search(r"(?:^    .*\n?)+", words, re.MULTILINE)
        parameters = sum(parameter.numel() for parameter in cell.parameters())
        fields = cell.initial_state(1)._asdict().items()
        shapes = ", ".join(f"{name} ({', '.join(map(str, field.shape[1:]))})" for name, field in fields)
        fused = fused_or_reason(cell, next((p.dtype for p in cell.parameters()), torch.float32))
        lines = [f"{count} × {cell}" if count > 1 else str(cell), "", sentence]
        lines += ["", equation.group().rstrip()] if equation else []
        said = f" = {formula_of(cell, words)}" if parameters else ""
        lines += [
            "",
            f"parameters  {parameters:,}{said}" + (f" each, {count * parameters:,} in all" if count > 1 else ""),
        ]
        lines += [f"            {name} {tuple(p.shape)}" for name, p in cell.named_parameters()]
        lines += [f"state       {shapes}, for each sequence"]
        if isinstance(fused, Fused):
            numbers = sum(width for _, width, _ in fused.kept)
            lines += [f"memory      {numbers} numbers for each step of each sequence, in training"]
        texts.append("\n".join(lines))
    if beside := others_in(module):
        texts.append("\n".join(["beside the cells", "", *beside]))
    return "\n\n".join(texts) or "no recurrent cells"


SYMBOLS = {
    "H": "hidden_size",
    "I": "input_size",
    "O": "output_size",
    "K": "backbone_size",
    "S": "context_size",
}


def formula_of(cell: Cell, words: str) -> str:
    """The formula of a cell's docstring where it gives as many parameters as the cell has; else their sizes, added."""
    sizes = [parameter.numel() for parameter in cell.parameters()]
    found = re.search(r"Parameters: ([0-9A-Z()+·\s]+)", words)
    formula = " ".join(found.group(1).split()) if found else ""
    numbers = {letter: getattr(cell, name, 0) for letter, name in SYMBOLS.items()}
    return formula if formula and value_of(formula, numbers) == sum(sizes) else " + ".join(map(str, sizes))


def value_of(formula: str, numbers: Mapping[str, int]) -> int | None:
    """What a formula such as `3H(I + H) + O·H` comes to; None where it is not one."""
    plain = re.sub(r"(?<=[0-9A-Z)])\s*(?=[A-Z(])", "*", formula.replace("·", "*"))
    try:
        return int(eval(plain, {"__builtins__": {}}, dict(numbers)))
    except (SyntaxError, NameError, TypeError):
        return None


def others_in(module: nn.Module) -> list[str]:
    """A line for each part with parameters that no cell has."""
    of_cells = {id(parameter) for cell in cells_in(module) for parameter in cell.parameters()}
    lines = []
    for name, part in module.named_modules():
        own = [p for p in part.parameters(recurse=False) if id(p) not in of_cells]
        if own:
            of_cells |= {id(p) for p in own}
            count = sum(p.numel() for p in own)
            kind = "learned initial states" if isinstance(part, nn.ParameterList) else str(part)
            said = ""
            if isinstance(part, nn.Linear):
                said = " = H·Y" + " + Y" * (part.bias is not None)
            lines.append(f"{count:>11,}{said}  {name or type(part).__name__}: {kind}")
    return lines


def grouped(cells: list[Cell]) -> dict[tuple[type[Cell], str], list[Cell]]:
    groups: dict[tuple[type[Cell], str], list[Cell]] = {}
    for cell in cells:
        groups.setdefault((type(cell), str(cell)), []).append(cell)
    return groups


def references(module: nn.Module) -> str:
    """BibTeX of where the cells that a model uses come from, each source once."""
    return "\n\n".join(Counter(source for cell in cells_in(module) for source in cell.sources))
