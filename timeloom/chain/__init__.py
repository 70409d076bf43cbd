"""The one linear-chain dynamic program."""

from timeloom.chain.chain import Chain

__all__ = ["Chain"]
