"""The one linear-chain dynamic program."""

from timeloom.chain.chain import Chain
from timeloom.chain.forward import forward_cell

__all__ = ["Chain", "forward_cell"]
