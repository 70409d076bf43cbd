"""A model folder of any task → the model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch

from timeloom.core import ModelError, UsageError
from timeloom.tasks.classify import Classifier
from timeloom.tasks.folder import read_model
from timeloom.tasks.keyterms import KeytermExtractor
from timeloom.tasks.language import LanguageModel
from timeloom.tasks.tagging import Tagger

Model = Tagger | Classifier | KeytermExtractor | LanguageModel
Kind = TypeVar("Kind", Tagger, Classifier, KeytermExtractor, LanguageModel)

# By task: what is built, and the arguments of its constructor that stand in config.json under their names.
MODELS: dict[str, tuple[Callable[..., Model], tuple[str, ...]]] = {
    "tag": (Tagger, ("model", "vocabulary", "features")),
    "classify": (Classifier, ("model", "labels", "tokenizer", "features", "several", "letters", "ngrams")),
    "keyterms": (KeytermExtractor, ("model", "vocabulary")),
    "language": (LanguageModel, ("model", "tokenizer")),
}
DAMAGED = (KeyError, TypeError, RuntimeError, ValueError, AttributeError, StopIteration)


def load(path: str | Path) -> Model:
    """Load a saved model, in evaluation mode, on the CPU.

    Raises ModelError where there is no model at `path`, or where it is damaged or foreign. Nothing is unpickled.
    """
    return built(path, trained=True)


def untrained(path: str | Path) -> Model:
    """The model as it might have begun: the architecture of a saved one, with fresh weights of its seed."""
    return built(path, trained=False)


def built(path: str | Path, trained: bool) -> Model:
    config, weights = read_model(path)
    if config["task"] not in MODELS:
        raise ModelError(f"{path} is a model for the task {config['task']!r}; this version knows: {', '.join(MODELS)}")
    kind, names = MODELS[config["task"]]
    try:
        if not trained:
            torch.manual_seed(config["training"]["seed"])
        model = kind(**{name: config[name] for name in names})
        model.to(next(iter(weights.values())).dtype)
        if not trained:  # what was counted in the data, and not learned, stays
            counted = {name: weights[name] for name, _ in model.named_buffers() if name in weights}
            weights = {**model.state_dict(), **counted}
        model.load_state_dict(weights)
    except DAMAGED as error:
        raise ModelError(f"{path} is a damaged model, or one of another version of Timeloom: {error}") from error
    return model.eval()


def load_as(kind: type[Kind], path: str | Path) -> Kind:
    """Load a saved model of one task. Raises UsageError where it is of another."""
    model = load(path)
    if not isinstance(model, kind):
        came, wanted = (next(task for task, (made, _) in MODELS.items() if made is one) for one in (type(model), kind))
        raise UsageError(
            f"{path} is a model for the task {came!r}, wanted one for {wanted!r}; timeloom train {wanted} makes one"
        )
    return model
