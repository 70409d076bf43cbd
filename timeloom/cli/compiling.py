"""Says on standard error that compilers are at work, and for how long they were."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Compiling(logging.Handler):
    """A line when the first of several compilers begins, and one when the last of them is done."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.running, self.kernels, self.begin = 0, 0, 0.0

    def emit(self, record: logging.LogRecord) -> None:
        change = getattr(record, "compiling", 0)
        if change > 0 and not self.running:
            self.kernels, self.begin = 0, time.perf_counter()
            folder = getattr(record, "folder", "")
            print(f"Compiling kernels for this model (once for each size, kept in {folder})", file=sys.stderr)
        self.running += change
        self.kernels += change > 0
        if change < 0 and not self.running:
            print(f"Compiled {self.kernels} in {time.perf_counter() - self.begin:.1f} s", file=sys.stderr)


@contextmanager
def compiling_told() -> Iterator[None]:
    """Inside, compilers of kernels are told of."""
    log = logging.getLogger("timeloom.scan.build")
    handler, level = Compiling(), log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(level)
