"""What every reader of labelled texts or series gives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Example:
    """A text, or a series of vectors (T, D), with its labels; none where they are to be found.

    `line` is the number (from 1) of the line it begins on, for messages, where it comes from a file of lines.
    """

    content: str | NDArray[np.float32]
    labels: tuple[str, ...] = ()
    line: int | None = None
