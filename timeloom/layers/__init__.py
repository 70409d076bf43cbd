"""What turns cells into layers."""

from timeloom.layers.recurrent import Recurrent

__all__ = ["Recurrent"]
