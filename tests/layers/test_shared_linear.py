"""Classes that share parts, against plain sums."""

from __future__ import annotations

import copy

import pytest
import torch

from tests.tolerances import assert_close
from timeloom.core import UsageError
from timeloom.layers import SharedLinear

PARTS = [["to", "city"], ["from", "city", "city"], ["to"], []]


def test_a_class_scores_with_its_own_weights_and_those_of_its_parts() -> None:
    layer = SharedLinear(4, PARTS).double()
    x = torch.randn(2, 5, 4, dtype=torch.float64)
    own, to, city = layer.weight[:4], layer.weight[4], layer.weight[5]  # "from" is of one class alone
    sums = [own[0] + city + to, own[1] + city, own[2] + to, own[3]]
    wanted = [x @ weights / parts**0.5 for weights, parts in zip(sums, [3, 2, 2, 1], strict=True)]
    assert_close(layer(x), torch.stack(wanted, -1) + layer.bias)


def test_what_is_learned_of_one_class_moves_those_that_share_with_it() -> None:
    layer = SharedLinear(4, PARTS)
    x = torch.ones(4)
    before = layer(x).detach()
    layer(x)[0].backward()
    with torch.no_grad():
        for parameter in layer.parameters():
            assert parameter.grad is not None
            parameter += parameter.grad
    change = layer(x).detach() - before
    torch.testing.assert_close(change, torch.tensor([5.0, 4 / 6**0.5, 4 / 6**0.5, 0.0]))  # the bias; one part of two


def test_scores_begin_as_large_as_those_of_a_linear_layer() -> None:
    torch.manual_seed(0)
    x, many = torch.randn(500, 64), [[f"{letter}{k // 2}" for letter in "abcd"] for k in range(500)]
    spread = [float(layer(x).detach().std()) for layer in (SharedLinear(64, many), torch.nn.Linear(64, 500))]
    assert spread[0] == pytest.approx(spread[1], rel=0.1)


def test_without_parts_it_is_a_linear_layer() -> None:
    layer, linear = SharedLinear(3, [[], ["alone"]]), torch.nn.Linear(3, 2)
    x = torch.randn(7, 3)
    assert layer.state_dict().keys() == linear.state_dict().keys()
    linear.load_state_dict(layer.state_dict())
    torch.testing.assert_close(layer(x), linear(x))


def test_it_is_the_same_in_other_types_and_after_them() -> None:
    layer, x = SharedLinear(4, PARTS), torch.randn(3, 4)
    before = layer(x).detach()
    assert_close(copy.deepcopy(layer).double()(x.double()).float(), before)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(layer(x).float(), before, rtol=0.05, atol=0.05)
    halved = layer.bfloat16()
    half = halved(x.bfloat16())
    half.sum().backward()
    torch.testing.assert_close(half.float(), before, rtol=0.05, atol=0.05)
    weights = halved.float().weight
    assert_close(layer(x)[:, 0], x @ (weights[0] + weights[4] + weights[5]) / 3**0.5 + layer.bias[0])


def test_it_says_how_much_is_shared() -> None:
    assert repr(SharedLinear(4, PARTS)) == "SharedLinear(input_size=4, classes=4, shared_parts=2)"


@pytest.mark.parametrize("wrong", [[], ["city", "town"]])
def test_what_is_no_list_of_parts_for_each_class_is_refused(wrong: list[str]) -> None:
    with pytest.raises(UsageError, match=r"SharedLinear: parts are .*, wanted a list of parts for each class"):
        SharedLinear(3, wrong)
