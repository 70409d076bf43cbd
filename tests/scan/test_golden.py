"""The C++ of three cells, kept as files: to see what a change does to it, and that it stays pleasant to read.

`TIMELOOM_UPDATE_GOLDEN=1 pytest tests/scan/test_golden.py` writes them anew.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from timeloom.cells import ElmanCell, GRUCell, LSTMCell
from timeloom.scan import Cell, explain

FOLDER = Path(__file__).parent / "golden"


@pytest.mark.parametrize("make", [ElmanCell, LSTMCell, GRUCell])
def test_the_source_is_what_it_was(make: type[Cell]) -> None:
    cell = make(input_size=3, hidden_size=20)  # pyright: ignore[reportCallIssue]
    text = explain(cell, torch.float32, dump=True)
    source = text[text.index(f"// {make.__name__}") :].rstrip() + "\n"
    path = FOLDER / f"{make.__name__}.cpp"
    if os.environ.get("TIMELOOM_UPDATE_GOLDEN"):
        path.write_text(source, encoding="utf-8")
    assert source == path.read_text(encoding="utf-8")
