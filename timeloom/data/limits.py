"""How much a reader takes before it says that something is wrong, and how to take more."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

MORE = "Add --no_limits, or in Python `with timeloom.data.no_limits():`, to read it all the same."


@dataclass(frozen=True)
class Limits:
    """What is more than these is more likely a damaged or a hostile file than data.

    Attributes:
        line: Bytes of a line, and characters of a field in a table.
        sentence: Tokens of a sentence, words of a text to classify.
        stream: Bytes from what has no size: a pipe or a device that is named as a file. Standard input has no limit.
        unfolded: Bytes that a packed file (.gz, .npz) may always have when it is unpacked;
        fold: and how many times as large as the packed file it may be beyond that.
        wait: Seconds until somebody writes to a pipe that is named as a file.
    """

    line: float = 16 << 20
    sentence: float = 50_000
    stream: float = 256 << 20
    unfolded: float = 256 << 20
    fold: float = 100
    wait: float = 10

    def unpacked(self, packed: int) -> float:
        """The most bytes that a packed file of this size may unpack to."""
        return max(self.unfolded, self.fold * packed)


NONE = Limits(*[math.inf] * 6)
current: ContextVar[Limits] = ContextVar("limits", default=Limits())  # noqa: B039 (frozen)


@contextmanager
def no_limits() -> Iterator[None]:
    """Read lines, sentences and files of any size inside the block."""
    before = current.set(NONE)
    try:
        yield
    finally:
        current.reset(before)
