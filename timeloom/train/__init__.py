"""Training: the loop, its options and checkpoints, and the scores."""

from timeloom.train.checkpoint import Progress
from timeloom.train.conlleval import ChunkScores, Counts, rates, score_chunks
from timeloom.train.fit import LAST, Problem, fit
from timeloom.train.interrupt import Interrupted
from timeloom.train.options import TrainingOptions
from timeloom.train.surface import Plane
from timeloom.train.watch import NotesWatch, TerminalWatch, Watch

__all__ = [
    "LAST",
    "ChunkScores",
    "Counts",
    "Interrupted",
    "NotesWatch",
    "Plane",
    "Problem",
    "Progress",
    "TerminalWatch",
    "TrainingOptions",
    "Watch",
    "fit",
    "rates",
    "score_chunks",
]
