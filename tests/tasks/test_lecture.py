"""The lecture's examples: the cliff of one unit, and the adding problem."""

from __future__ import annotations

import pytest
import torch

from timeloom.core import UsageError
from timeloom.tasks.adding import AddingOptions, adding_batch, learn_adding, make_adder
from timeloom.tasks.cliff import BEGIN, STEPS, WANTED, Cliff
from timeloom.train.surface import Plane


def test_the_cliff_of_one_unit() -> None:
    """Descent without clipping leaves the picture at the cliff; with it, it stays and arrives."""
    unit = Cliff().double()
    plane = Plane(unit, unit.loss, torch.eye(2, dtype=torch.float64))
    h = BEGIN
    for _ in range(STEPS):
        h = 4.0 / (1 + torch.exp(torch.tensor(-h, dtype=torch.float64)).item()) - 2.0
    wanted = (1 / (1 + torch.exp(torch.tensor(-h, dtype=torch.float64)).item()) - WANTED) ** 2
    assert float(plane.losses([4.0], [-2.0])) == pytest.approx(wanted)
    wild, tame = plane.descend(6.0, -2.2, 1.0, 60), plane.descend(6.0, -2.2, 1.0, 60, clip=0.2)
    assert float((wild.points[1:] - wild.points[:-1]).norm(dim=1).max()) > 5
    assert float(wild.losses[-1]) > float(wild.losses[0]) > 3 * float(tame.losses[-1])


def test_the_answer_is_the_sum_of_the_marked_numbers_one_in_each_half() -> None:
    x, wanted = adding_batch(50, 11, torch.Generator().manual_seed(0))
    numbers, marks = x.unbind(-1)
    assert torch.equal(marks[:, :5].sum(1), torch.ones(50))
    assert torch.equal(marks[:, 5:].sum(1), torch.ones(50))
    assert torch.equal((numbers * marks).sum(1), wanted)
    assert float((wanted - 1).square().mean()) == pytest.approx(1 / 6, abs=0.05), "what a constant answer costs"


def test_it_is_learned_and_ends_where_numbers_end() -> None:
    options = AddingOptions(steps=150, length=6, hidden_size=16, learning_rate=0.02)
    losses = [loss for loss, _ in learn_adding(make_adder("gru", options), options)]
    assert sum(losses[-10:]) / 10 < 0.05 < losses[0]
    wild = AddingOptions(steps=60, length=40, learning_rate=1e30, clip_norm=None)
    assert len(list(learn_adding(make_adder("irnn", wild), wild))) < 60


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(UsageError, match="length is 1, wanted 2 or more"):
        AddingOptions(length=1)
    with pytest.raises(UsageError, match="there is no cell 'elmo'"):
        make_adder("elmo", AddingOptions())
