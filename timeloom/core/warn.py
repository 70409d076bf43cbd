"""Warnings that point at the line of the person who called, however deep in Timeloom they arise."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

PACKAGE = str(Path(__file__).parent.parent)
BETWEEN = (  # nn.Module.__call__, autograd, cached properties
    str(Path("torch", "nn", "modules", "module.py")),
    str(Path("torch", "autograd", "function.py")),
    str(Path("torch", "autograd", "graph.py")),
    str(Path("torch", "autograd", "__init__.py")),
    str(Path("torch", "_tensor.py")),
    "functools.py",
)


def warn_caller(message: str) -> None:
    """Warn at the first line outside the package."""
    level, frame = 1, sys._getframe()
    while frame.f_back and is_between(frame.f_code.co_filename):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, stacklevel=level)


def is_between(file: str) -> bool:
    """Whether a line of `file` only stands between the caller and the cause."""
    return file.startswith(PACKAGE) or file.endswith(BETWEEN)
