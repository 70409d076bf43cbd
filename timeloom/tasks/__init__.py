"""Sequence problems, each a vertical slice from file to saved model."""

from timeloom.tasks.load import load
from timeloom.tasks.tagging import Tagger, TaggerOptions, TaggingData, evaluate_tagger, train_tagger

__all__ = ["Tagger", "TaggerOptions", "TaggingData", "evaluate_tagger", "load", "train_tagger"]
