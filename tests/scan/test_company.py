"""A sequence alone is the sequence in company, to the bit: for every cell and instruction set, and step by step."""

from __future__ import annotations

import platform
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.catalogue import Entry, build, every_cell
from timeloom.cells import GRUCell, LSTMCell
from timeloom.scan import Cell, choose, scan, step

pytestmark = pytest.mark.instructions
NEEDS = {"x86-64": "sse2", "x86-64-v3": "avx2", "znver3": "vaes", "x86-64-v4": "avx512vl"}


@pytest.fixture(autouse=True)
def as_shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels built with the flags that users have: what a compiler contracts, it contracts when it optimises."""
    monkeypatch.delenv("TIMELOOM_CXXFLAGS", raising=False)
    monkeypatch.setattr(choose, "_alike", OrderedDict())


def stepped(cell: Cell, x: Tensor) -> Tensor:
    state, emitted = None, []
    with torch.no_grad():
        for x_t in x:
            y, state = step(cell, x_t, state)
            emitted.append(y)
    return torch.stack(emitted)


def trained(cell: Cell, x: Tensor) -> tuple[Tensor, Tensor]:
    """Outputs, and the gradient of x by a loss that weighs each of them otherwise."""
    x = x.clone().requires_grad_()
    y = scan(cell, x)[0]
    (y * torch.arange(1, 1 + y.shape[-1], dtype=y.dtype).cos()).sum().backward()
    assert x.grad is not None
    return y.detach(), x.grad


def assert_the_same_in_company(cell: Cell, x: Tensor, which: int) -> None:
    alone = x[:, which : which + 1]
    pairs = [*zip(trained(cell, x), trained(cell, alone), strict=True), (stepped(cell, x), stepped(cell, alone))]
    with torch.no_grad():
        pairs.append((scan(cell, x)[0], scan(cell, alone)[0]))
    for many, one in pairs:
        assert torch.equal(many[:, which : which + 1], one)


@every_cell
def test_every_cell_in_any_company(entry: Entry) -> None:
    torch.manual_seed(0)
    cell = build(entry, 5, 130).float()  # kernels that test_fused.py builds, too
    for batch_size in (2, 9, 33):
        assert_the_same_in_company(cell, torch.randn(9, batch_size, cell.input_size), batch_size // 2)


def test_double_precision() -> None:
    torch.manual_seed(0)
    cell = GRUCell(17, 33).double()
    for batch_size in (2, 9, 33):
        assert_the_same_in_company(cell, torch.randn(9, batch_size, 17, dtype=torch.float64), 1)


@pytest.mark.parametrize("instructions", NEEDS)
@pytest.mark.parametrize("kind", [LSTMCell, GRUCell])
def test_every_instruction_set(instructions: str, kind: type[Cell], monkeypatch: pytest.MonkeyPatch) -> None:
    if platform.machine() != "x86_64" or NEEDS[instructions] not in Path("/proc/cpuinfo").read_text():
        pytest.skip(f"this processor cannot run code for {instructions}")
    monkeypatch.setenv("TIMELOOM_MARCH", instructions)
    torch.manual_seed(0)
    cell = kind(17, 33)
    for batch_size in (2, 9, 32, 33):
        assert_the_same_in_company(cell, torch.randn(9, batch_size, 17), 1)


def test_every_time_and_at_any_length_of_the_others() -> None:
    torch.manual_seed(0)
    cell, x = LSTMCell(4, 33), torch.randn(9, 14, 4)
    whole = scan(cell, x)[0]
    assert torch.equal(scan(cell, x)[0], whole)
    ragged = scan(cell, x, lengths=[9, 2, 0, 5] + [7] * 10)[0]
    assert torch.equal(ragged[:5, 3:4], whole[:5, 3:4])
