"""Kernels that are built before they are called."""

from __future__ import annotations

import logging
from collections import OrderedDict
from pathlib import Path

import pytest
import torch

from timeloom.cells import GRUCell
from timeloom.cli.compiling import compiling_told
from timeloom.layers import Recurrent
from timeloom.scan import build_ahead, choose


def test_the_kernels_of_a_layer_are_built_once_and_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TIMELOOM_CACHE", str(tmp_path))
    monkeypatch.setattr(choose, "_alike", OrderedDict())
    layer = Recurrent(GRUCell(3, 7), hidden_sizes=[7, 9], bidirectional=True)
    with caplog.at_level(logging.INFO, "timeloom.scan.build"), compiling_told():
        build_ahead(layer.cells_run())
        kernels = set(tmp_path.glob("*.so"))
        assert len(kernels) >= 2  # and the products, where no test before has loaded them
        layer(torch.randn(2, 4, 3))
    assert set(tmp_path.glob("*.so")) == kernels
    said = capsys.readouterr().err
    assert f"Compiling kernels for this model (once for each size, kept in {tmp_path})" in said
    assert "Compiled " in said
