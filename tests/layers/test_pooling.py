"""A sequence as one vector, against plain loops over its real steps."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from timeloom.core import ShapeError, UsageError
from timeloom.layers import Pooling

LENGTHS = torch.tensor([4, 1, 3])


@pytest.mark.parametrize("kind", ["attention", "max", "mean", "last"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_each_is_what_its_docstring_says(kind: Any, bidirectional: bool) -> None:
    torch.manual_seed(0)
    pool = Pooling(kind, 6, bidirectional).double()
    encoded = torch.randn(3, 4, 6, dtype=torch.float64)
    found = pool(encoded, LENGTHS)
    for b, n in enumerate(LENGTHS.tolist()):
        steps = encoded[b, :n]
        match kind:
            case "attention":
                scores = torch.stack([pool.weigh.weight @ torch.tanh(pool.look(step)) for step in steps])[:, 0]
                shares = torch.exp(scores) / torch.exp(scores).sum()
                wanted = sum(share * step for share, step in zip(shares, steps, strict=True))
                torch.testing.assert_close(pool.attention(encoded, LENGTHS)[b, :n], shares)
            case "max":
                wanted = torch.stack(list(steps)).max(0).values
            case "mean":
                wanted = sum(steps) / n
            case _:
                wanted = torch.cat([steps[-1, :3], steps[0, 3:]]) if bidirectional else steps[-1]
        torch.testing.assert_close(found[b], wanted)


@pytest.mark.parametrize("kind", ["max", "mean", "last", "attention"])
def test_padding_has_no_say(kind: Any) -> None:
    pool = Pooling(kind, 6)
    encoded = torch.randn(3, 4, 6)
    other = encoded.clone()
    other[1, 1:], other[2, 3:] = 1e6, -1e6
    torch.testing.assert_close(pool(other, LENGTHS), pool(encoded, LENGTHS))


def test_another_kind_is_refused() -> None:
    wrong: Any = "first"
    with pytest.raises(UsageError, match="kind is 'first'"):
        Pooling(wrong, 3)
    with pytest.raises(ShapeError, match="sequence 1 has no step"):
        Pooling("max", 3)(torch.zeros(2, 4, 3), torch.tensor([2, 0]))
