"""Warnings that point at the line of the person who called, however deep in Timeloom they arise."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

PACKAGE = str(Path(__file__).parent.parent)
OF_A_LAYER = "torch/nn/modules/module.py"  # nn.Module.__call__


def warn_caller(message: str) -> None:
    """Warn at the first line outside the package."""
    level, frame = 1, sys._getframe()
    while frame.f_back and (
        frame.f_code.co_filename.startswith(PACKAGE) or frame.f_code.co_filename.endswith(OF_A_LAYER)
    ):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, stacklevel=level)
