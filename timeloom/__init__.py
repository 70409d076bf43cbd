"""Timeloom: recurrent sequence learning.

Write one step of a recurrence, get the whole time loop; train, evaluate and ship sequence models with one command each.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from timeloom.cells import ElmanCell as ElmanCell
    from timeloom.cells import GRUCell as GRUCell
    from timeloom.cells import LSTMCell as LSTMCell
    from timeloom.core import Padded as Padded
    from timeloom.core import TimeloomError as TimeloomError
    from timeloom.layers import Recurrent as Recurrent
    from timeloom.scan import Cell as Cell
    from timeloom.tasks import load as load

__version__ = "0.1.0"

ROOMS = {
    "Cell": "timeloom.scan",
    "ElmanCell": "timeloom.cells",
    "GRUCell": "timeloom.cells",
    "LSTMCell": "timeloom.cells",
    "Padded": "timeloom.core",
    "Recurrent": "timeloom.layers",
    "TimeloomError": "timeloom.core",
    "load": "timeloom.tasks",
}


def __getattr__(name: str) -> Any:
    # Each name brings its room when it is first asked for: the command line answers before torch is loaded, and
    # whoever wants only a layer does not wait for what training needs.
    if name in ("cells", "layers", "scan"):
        return import_module(f"timeloom.{name}")
    if name in ROOMS:
        return getattr(import_module(ROOMS[name]), name)
    raise AttributeError(f"module 'timeloom' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *ROOMS])
