"""Sequence problems, each a vertical slice from file to saved model."""

from timeloom.tasks.language import (
    LanguageData,
    LanguageModel,
    LanguageOptions,
    TextOptions,
    evaluate_language_model,
    generate,
    train_language_model,
)
from timeloom.tasks.load import load, load_as
from timeloom.tasks.tagging import Tagger, TaggerOptions, TaggingData, evaluate_tagger, train_tagger

__all__ = [
    "LanguageData",
    "LanguageModel",
    "LanguageOptions",
    "Tagger",
    "TaggerOptions",
    "TaggingData",
    "TextOptions",
    "evaluate_language_model",
    "evaluate_tagger",
    "generate",
    "load",
    "load_as",
    "train_language_model",
    "train_tagger",
]
