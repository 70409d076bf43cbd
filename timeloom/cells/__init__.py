"""One recurrence per file."""

from timeloom.cells.elman import ElmanCell
from timeloom.cells.gru import GRUCell
from timeloom.cells.lstm import LSTMCell

__all__ = ["ElmanCell", "GRUCell", "LSTMCell"]
