"""The plane of weights on losses that can be written down."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from tests.tolerances import assert_close
from timeloom.core import UsageError
from timeloom.train.surface import Plane, along_weights, at_random, flat, of_most_curvature

CURVES = torch.tensor([1.0, 9.0, 4.0, 0.5], dtype=torch.float64)


class Bowl(nn.Module):
    """½ Σ k (w − 1)²: all is known of it."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.zeros(2, 2, dtype=torch.float64))

    def loss(self) -> Tensor:
        return 0.5 * (CURVES.view(2, 2) * (self.w - 1).square()).sum()


def test_losses_descent_and_the_weights_are_back_where_they_were() -> None:
    bowl = Bowl()
    plane = Plane(bowl, bowl.loss, along_weights(bowl, ["w[0,0]", "w[0,1]"]))
    a, b = [0.0, 1.0, 3.0], [0.0, 1.0]
    wanted = [[0.5 * ((x - 1) ** 2 + 9 * (y - 1) ** 2 + 4.5) for y in b] for x in a]
    assert_close(plane.losses(a, b), torch.tensor(wanted, dtype=torch.float64))
    path = plane.descend(3.0, 1.0, 0.1, 50)
    assert_close(path.points[1], torch.tensor([2.8, 1.0], dtype=torch.float64))  # 3 − 0.1 · (3 − 1)
    assert path.losses[-1] < path.losses[0]
    clipped = plane.descend(3.0, 5.0, 1.0, 5, clip=0.5)
    assert_close((clipped.points[1:] - clipped.points[:-1]).norm(dim=1), torch.full((5,), 0.5, dtype=torch.float64))
    assert not bowl.w.any()


def test_descent_ends_where_numbers_end() -> None:
    bowl = Bowl()
    path = Plane(bowl, bowl.loss, along_weights(bowl, ["w[0,0]", "w[0,1]"])).descend(2.0, 2.0, 1e300, 20)
    assert len(path.points) < 5


def test_the_directions_of_most_curvature() -> None:
    bowl = Bowl()
    found = of_most_curvature(bowl, bowl.loss, seed=0).abs()
    torch.testing.assert_close(found, torch.eye(4, dtype=torch.float64)[[1, 2]], rtol=0, atol=1e-6)
    assert not bowl.w.any()


def test_random_directions_stand_at_a_right_angle_and_are_as_long_as_the_weights() -> None:
    model = nn.Linear(5, 4)
    one, two = at_random(model, seed=3)
    assert abs(float(one @ two)) < 1e-5
    assert float(one.norm()) == pytest.approx(float(flat(list(model.parameters())).norm()), rel=1e-5)
    assert_close(at_random(model, seed=3)[0], one)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("v[0,0]", "there is no weight 'v\\[0,0\\]'"),
        ("w", "there is no weight 'w'"),
        ("w[0,7]", "outside of w"),
        ("w[0]", "more than one weight"),
    ],
)
def test_weights_that_are_not_there(name: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        along_weights(Bowl(), [name, "w[0,0]"])
