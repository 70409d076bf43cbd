"""How close two ways of computing the same thing must come: one tolerance per dtype, for all tests."""

from __future__ import annotations

from typing import Any

import torch

TOLERANCES = {torch.float64: (1e-10, 1e-12), torch.float32: (1e-4, 1e-5)}  # relative, absolute


def assert_close(actual: Any, expected: Any) -> None:
    """Compare two tensors, or two tuples of them: shapes, types, and values within the tolerance of the type."""
    if isinstance(expected, tuple):
        assert isinstance(actual, tuple)
        for one, other in zip(actual, expected, strict=True):
            assert_close(one, other)
    else:
        relative, absolute = TOLERANCES[expected.dtype]
        torch.testing.assert_close(actual, expected, rtol=relative, atol=absolute)
