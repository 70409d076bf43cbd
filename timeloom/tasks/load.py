"""A model folder of any task → the model."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from timeloom.core import ModelError, UsageError
from timeloom.tasks.classify import Classifier, load_classifier
from timeloom.tasks.folder import read_model
from timeloom.tasks.keyterms import KeytermExtractor, load_keyterm_extractor
from timeloom.tasks.language import LanguageModel, load_language_model
from timeloom.tasks.tagging import Tagger, load_tagger

Model = Tagger | LanguageModel | Classifier | KeytermExtractor
LOADERS = {
    "tag": load_tagger,
    "classify": load_classifier,
    "keyterms": load_keyterm_extractor,
    "language": load_language_model,
}
MADE_BY = {Tagger: "tag", Classifier: "classify", KeytermExtractor: "keyterms", LanguageModel: "language"}
Kind = TypeVar("Kind", Tagger, LanguageModel, Classifier, KeytermExtractor)


def load(path: str | Path) -> Model:
    """Load a saved model, in evaluation mode, on the CPU.

    Raises ModelError where there is no model at `path`, or where it is damaged or foreign. Nothing is unpickled.
    """
    config, weights = read_model(path)
    loader = LOADERS.get(config["task"])
    if loader is None:
        raise ModelError(f"{path} is a model for the task {config['task']!r}; this version knows: {', '.join(LOADERS)}")
    return loader(config, weights, path)


def load_as(kind: type[Kind], path: str | Path) -> Kind:
    """Load a saved model of one task. Raises UsageError where it is of another."""
    model = load(path)
    if not isinstance(model, kind):
        raise UsageError(
            f"{path} is a model for the task {MADE_BY[type(model)]!r}, wanted one for {MADE_BY[kind]!r}; "
            f"timeloom train {MADE_BY[kind]} makes one"
        )
    return model
