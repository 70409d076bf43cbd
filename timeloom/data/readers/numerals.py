"""Numbers that are written as text."""

from __future__ import annotations

import numpy as np

LARGEST = float(np.finfo(np.float32).max)


def is_number(text: str) -> bool:
    """Whether a text is a number, finite or not."""
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text  # which Python has for its own programs


def finite(text: str) -> float | None:
    """The number, if it is one that 32 bits hold."""
    if not is_number(text):
        return None
    value = float(text)
    return value if abs(value) <= LARGEST else None  # NaN is not less, either
