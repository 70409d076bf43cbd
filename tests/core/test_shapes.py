import pytest
import torch

from timeloom.core import ShapeError, check_last_axis, named


def check(x: torch.Tensor) -> None:
    check_last_axis(x, 80, owner="GRU", what="x", names="B T I", advice="Check the feature extractor.")


def test_named_puts_a_letter_before_each_size() -> None:
    assert named(torch.zeros(16, 200, 40), "B T I") == "(B=16, T=200, I=40)"
    assert named(torch.zeros(16, 40), "B T I") == "(16, 40)"


def test_the_error_says_what_came_and_what_was_wanted() -> None:
    with pytest.raises(ShapeError) as caught:
        check(torch.zeros(16, 200, 40))
    assert str(caught.value) == (
        "GRU: x has 40 features in its last axis, 80 were wanted.\n"
        "  x: (B=16, T=200, I=40), wanted (B, T, I=80)\n"
        "  Check the feature extractor."
    )
    with pytest.raises(ShapeError, match=r"x has 2 axes, 3 were wanted.\n  x: \(16, 80\), wanted \(B, T, I=80\)"):
        check(torch.zeros(16, 80))


def test_what_fits_passes() -> None:
    check(torch.zeros(0, 7, 80))
