"""One step in, a whole time loop out."""

from timeloom.scan.cell import Cell
from timeloom.scan.launch import scan

__all__ = ["Cell", "scan"]
