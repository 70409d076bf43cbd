"""What holds for every output over a chain: padding, company, small batches, and what none of them takes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from tests.catalogue import OUTPUTS
from tests.tolerances import assert_close
from timeloom.core import ShapeError, UsageError
from timeloom.structured import ChainOutput, Rules, tag_rules

TAGS = ["B-x", "I-x", "O"]
RIGHT = torch.tensor([[0, 1, 1, 2], [2, 0, -1, -1], [2, -1, -1, -1]])
LENGTHS = torch.tensor([4, 2, 1])

every_output = pytest.mark.parametrize("kind", OUTPUTS)


def made(kind: Callable[[int, Rules], ChainOutput]) -> tuple[ChainOutput, Tensor]:
    torch.manual_seed(0)
    output = kind(3, tag_rules(TAGS)).double()
    with torch.no_grad():
        for parameter in output.parameters():
            parameter.normal_()
    return output, torch.randn(3, 4, 3, dtype=torch.float64, requires_grad=True)


@every_output
def test_a_sentence_costs_alone_what_it_costs_in_company(kind) -> None:
    output, emissions = made(kind)
    together = output.loss(emissions, RIGHT, LENGTHS) * LENGTHS.sum()
    alone = [output.loss(emissions[b : b + 1, :n], RIGHT[b : b + 1, :n]) * n for b, n in enumerate(LENGTHS.tolist())]
    assert_close(together, torch.stack(alone).sum())
    leaves = [emissions, *(p for p in output.parameters() if p.requires_grad)]
    ours = torch.autograd.grad(together, leaves)
    for one, other in zip(ours, torch.autograd.grad(torch.stack(alone).sum(), leaves), strict=True):
        assert_close(one, other)
    assert ours[0][0].any()
    best, _ = output.chain(emissions, LENGTHS).best_path()
    for b, n in enumerate(LENGTHS.tolist()):
        assert torch.equal(best[b : b + 1, :n], output.chain(emissions[b : b + 1, :n]).best_path()[0])


@every_output
def test_padding_may_hold_anything(kind) -> None:
    output, emissions = made(kind)
    wanted = output.loss(emissions, RIGHT, LENGTHS)
    filled, tags = emissions.detach().clone(), RIGHT.clone()
    for b, n in enumerate(LENGTHS.tolist()):
        filled[b, n:], tags[b, n:] = torch.nan, 77
    filled.requires_grad_()
    loss = output.loss(filled, tags, LENGTHS)
    assert_close(loss, wanted)
    (gradient,) = torch.autograd.grad(loss, filled)
    assert_close(gradient, torch.autograd.grad(wanted, emissions)[0])


@every_output
def test_nothing_to_learn_costs_nothing(kind) -> None:
    output, emissions = made(kind)
    for given, tags, lengths in (
        (emissions[:0], RIGHT[:0], None),
        (emissions[:, :0], RIGHT[:, :0], None),
        (emissions, RIGHT, torch.zeros(3, dtype=torch.long)),
    ):
        assert output.loss(given, tags, lengths).item() == 0


@every_output
def test_half_precision_is_raised_and_more_than_the_weights_is_refused(kind) -> None:
    output, emissions = made(kind)
    halves = emissions.detach().to(torch.bfloat16)
    assert_close(output.loss(halves, RIGHT, LENGTHS), output.loss(halves.double(), RIGHT, LENGTHS))
    with pytest.raises(ShapeError, match=r"torch.float32 on cpu, wanted .* of torch.float64"):
        output.float().loss(emissions, RIGHT, LENGTHS)


@every_output
def test_what_no_output_takes(kind) -> None:
    output, emissions = made(kind)
    name = type(output).__name__
    forbidden = RIGHT.clone()
    forbidden[1, 0] = TAGS.index("I-x")
    with pytest.raises(UsageError, match=rf"{name}: the right tags of sentence 1 .* are forbidden by the rules"):
        output.loss(emissions, forbidden, LENGTHS)
    for wrong in (7, -100):
        strange = RIGHT.clone()
        strange[0, 2] = wrong
        with pytest.raises(UsageError, match="the path of sentence 0 has a tag at step 2 that is none of 0 to 2"):
            output.loss(emissions, strange, LENGTHS)
    with pytest.raises(ShapeError, match=r"K=4|4 features"):
        output.loss(torch.zeros(3, 4, 4, dtype=torch.float64), RIGHT, LENGTHS)
    with pytest.raises(ShapeError, match=r"wanted integers \(B=3, T=4\)"):
        output.loss(emissions, RIGHT[:, :2], LENGTHS)
    broken = emissions.detach().clone()
    broken[1, 1] = torch.nan
    with pytest.raises(UsageError, match=r"the emissions of sentence 1 hold NaN or .inf at step 1"):
        output.loss(broken, RIGHT, LENGTHS)
