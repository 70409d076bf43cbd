"""Timeloom: recurrent sequence learning.

Write one step of a recurrence, get the whole time loop; train, evaluate and ship sequence models with one command each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from timeloom.cells import ElmanCell, GRUCell, LSTMCell
from timeloom.core import Padded, TimeloomError
from timeloom.layers import Recurrent
from timeloom.scan import Cell

if TYPE_CHECKING:
    from timeloom.tasks import load as load

__version__ = "0.1.0"

__all__ = ["Cell", "ElmanCell", "GRUCell", "LSTMCell", "Padded", "Recurrent", "TimeloomError", "load"]


def __getattr__(name: str) -> Any:
    # The tasks bring Fabric and matplotlib with them; whoever only wants a layer need not wait for those.
    if name == "load":
        from timeloom.tasks import load

        return load
    raise AttributeError(f"module 'timeloom' has no attribute {name!r}")
