"""One step in, a whole time loop out."""

from timeloom.scan.ahead import build_ahead
from timeloom.scan.cell import Cell
from timeloom.scan.choose import plain_loop
from timeloom.scan.explain import explain
from timeloom.scan.launch import scan, step

__all__ = ["Cell", "build_ahead", "explain", "plain_loop", "scan", "step"]
