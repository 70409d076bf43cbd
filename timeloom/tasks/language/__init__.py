"""Language models: the next character, word or byte pair of a text."""

from timeloom.tasks.language.data import LanguageData
from timeloom.tasks.language.evaluation import TextScores, evaluate_language_model, score_text
from timeloom.tasks.language.generation import GenerationOptions, generate
from timeloom.tasks.language.model import LanguageModel
from timeloom.tasks.language.options import LANGUAGE_TEXT, LANGUAGE_TRAINING, LanguageOptions
from timeloom.tasks.language.training import train_language_model

__all__ = [
    "LANGUAGE_TEXT",
    "LANGUAGE_TRAINING",
    "GenerationOptions",
    "LanguageData",
    "LanguageModel",
    "LanguageOptions",
    "TextScores",
    "evaluate_language_model",
    "generate",
    "score_text",
    "train_language_model",
]
