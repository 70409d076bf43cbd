"""Words that every room shares."""

from timeloom.core.errors import DataError, ModelError, RunError, ShapeError, TimeloomError, UsageError
from timeloom.core.padded import Padded, check_lengths, step_mask
from timeloom.core.seeds import check_seed
from timeloom.core.shapes import check_last_axis, named

__all__ = [
    "DataError",
    "ModelError",
    "Padded",
    "RunError",
    "ShapeError",
    "TimeloomError",
    "UsageError",
    "check_last_axis",
    "check_lengths",
    "check_seed",
    "named",
    "step_mask",
]
