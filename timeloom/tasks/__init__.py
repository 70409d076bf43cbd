"""Sequence problems, each a vertical slice from file to saved model."""

from timeloom.tasks.classify import (
    Classifier,
    ClassifierOptions,
    ClassifyData,
    evaluate_classifier,
    explain_label,
    train_classifier,
)
from timeloom.tasks.keyterms import (
    KeytermData,
    KeytermExtractor,
    KeytermOptions,
    evaluate_keyterm_extractor,
    train_keyterm_extractor,
)
from timeloom.tasks.language import (
    LanguageData,
    LanguageModel,
    LanguageOptions,
    evaluate_language_model,
    generate,
    train_language_model,
)
from timeloom.tasks.load import load, load_as
from timeloom.tasks.tagging import Tagger, TaggerOptions, TaggingData, evaluate_tagger, train_tagger
from timeloom.tasks.training import Trained

__all__ = [
    "Classifier",
    "ClassifierOptions",
    "ClassifyData",
    "KeytermData",
    "KeytermExtractor",
    "KeytermOptions",
    "LanguageData",
    "LanguageModel",
    "LanguageOptions",
    "Tagger",
    "TaggerOptions",
    "TaggingData",
    "Trained",
    "evaluate_classifier",
    "evaluate_keyterm_extractor",
    "evaluate_language_model",
    "evaluate_tagger",
    "explain_label",
    "generate",
    "load",
    "load_as",
    "train_classifier",
    "train_keyterm_extractor",
    "train_language_model",
    "train_tagger",
]
