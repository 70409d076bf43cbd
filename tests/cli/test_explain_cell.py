"""`timeloom explain-cell`."""

from __future__ import annotations

from pathlib import Path

import pytest

from timeloom.cli.main import main

THEIRS = """
from typing import NamedTuple
import torch
from torch import nn
from timeloom.scan import Cell


class RunningCell(Cell):
    class State(NamedTuple):
        h: torch.Tensor

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.input_size, self.hidden_size = input_size, hidden_size
        self.input = nn.Linear(input_size, hidden_size)

    def step(self, x, state):
        h = torch.cumsum(torch.tanh(self.input(x) + state.h), -1)
        return h, self.State(h)


class ChoosyCell(RunningCell):
    def step(self, x, state):
        h = self.input(x)
        if h.sum() > 0:
            h = h + state.h
        return h, self.State(h)


class MixingCell(RunningCell):
    def step(self, x, state):
        h = self.input(x)
        h = h + (h @ h.t()) @ state.h
        return h, self.State(h)


class FussyCell(RunningCell):
    def __init__(self, input_size, hidden_size, periods):
        super().__init__(input_size, hidden_size)
"""


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    path = tmp_path / "my_cells.py"
    path.write_text(THEIRS)
    return path


def test_a_cell_of_ours_with_its_source(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain-cell", "timeloom.cells:LSTMCell", "--hidden_size", "9", "--source"]) == 0
    out = capsys.readouterr().out
    assert "LSTMCell is fused" in out
    assert "recurrent_weight_transposed" in out
    assert "void sweep_1(" in out
    assert "(B, 36)" not in out.split("saved for the way back")[1].split("before the way back")[0]


@pytest.mark.parametrize(
    ("name", "reason", "line"),
    [
        ("RunningCell", "aten.cumsum.default", "h = torch.cumsum(torch.tanh(self.input(x) + state.h), -1)"),
        ("ChoosyCell", "asks for the number in a tensor", "if h.sum() > 0:"),
        ("MixingCell", "mixes the sequences of a batch", "h = h + (h @ h.t()) @ state.h"),
    ],
)
def test_what_prevents_a_kernel_and_where(
    theirs: Path, capsys: pytest.CaptureFixture[str], name: str, reason: str, line: str
) -> None:
    assert main(["explain-cell", f"{theirs}:{name}"]) == 0
    out = capsys.readouterr().out
    number = THEIRS.splitlines().index(next(text for text in THEIRS.splitlines() if text.strip() == line)) + 1
    assert f"{name} is not fused" in out
    assert reason in out
    assert f"{theirs}:{number}: {line}" in out


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nothing", "names no class; wanted module:Class"),
        ("no_such_module:Cell", "no_such_module cannot be imported: ModuleNotFoundError"),
        ("timeloom.cells:NoCell", "timeloom.cells has no such class"),
        ("timeloom.cells:elman", "elman is no cell"),
        ("none.py:Cell", "there is no file none.py"),
        ("{theirs}:FussyCell", r"FussyCell(input_size=8, hidden_size=16) failed"),
    ],
)
def test_names_that_lead_nowhere(theirs: Path, capsys: pytest.CaptureFixture[str], name: str, message: str) -> None:
    assert main(["explain-cell", name.format(theirs=theirs)]) == 2
    assert message in capsys.readouterr().err


def test_another_type(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain-cell", "timeloom.cells:GRUCell", "--dtype", "float64"]) == 0
    assert main(["explain-cell", "timeloom.cells:GRUCell", "--dtype", "int8"]) == 2
    assert "--dtype is 'int8', wanted one of float32, float64" in capsys.readouterr().err
