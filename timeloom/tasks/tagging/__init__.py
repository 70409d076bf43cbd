"""Sequence tagging: one tag for each word of a sentence (slots, chunks, names, parts of speech)."""

from timeloom.tasks.tagging.data import TaggingData
from timeloom.tasks.tagging.evaluation import TaggingScores, evaluate_tagger, score_tagger
from timeloom.tasks.tagging.files import TaggedFile
from timeloom.tasks.tagging.model import Tagger
from timeloom.tasks.tagging.options import TaggerOptions
from timeloom.tasks.tagging.tagged import Tagged
from timeloom.tasks.tagging.text import TaggedText, TextChunk, Tokenize, splitting_for
from timeloom.tasks.tagging.training import train_tagger

__all__ = [
    "Tagged",
    "TaggedFile",
    "TaggedText",
    "Tagger",
    "TaggerOptions",
    "TaggingData",
    "TaggingScores",
    "TextChunk",
    "Tokenize",
    "evaluate_tagger",
    "score_tagger",
    "splitting_for",
    "train_tagger",
]
