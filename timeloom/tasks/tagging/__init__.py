"""Sequence tagging: one tag for each word of a sentence (slots, chunks, names, parts of speech)."""

from timeloom.tasks.tagging.evaluation import TaggingScores, evaluate_tagger, score_tagger
from timeloom.tasks.tagging.files import TaggedFile
from timeloom.tasks.tagging.model import Tagger, TaggerOptions, load_tagger
from timeloom.tasks.tagging.training import RUN, TaggingData, TaggingRun, recall_run, train_tagger

__all__ = [
    "RUN",
    "TaggedFile",
    "Tagger",
    "TaggerOptions",
    "TaggingData",
    "TaggingRun",
    "TaggingScores",
    "evaluate_tagger",
    "load_tagger",
    "recall_run",
    "score_tagger",
    "train_tagger",
]
