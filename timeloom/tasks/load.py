"""A model folder of any task → the model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch

from timeloom.core import ModelError, UsageError
from timeloom.tasks.classify import Classifier
from timeloom.tasks.folder import WEIGHTS, read_config, read_weights
from timeloom.tasks.keyterms import KeytermExtractor
from timeloom.tasks.language import LanguageModel
from timeloom.tasks.schema import check_config
from timeloom.tasks.tagging import Tagger
from timeloom.tasks.weights import check_layers, check_weights, read_header

Model = Tagger | Classifier | KeytermExtractor | LanguageModel
Kind = TypeVar("Kind", Tagger, Classifier, KeytermExtractor, LanguageModel)

# By task: what is built, and the arguments of its constructor that stand in config.json under their names.
MODELS: dict[str, tuple[Callable[..., Model], tuple[str, ...]]] = {
    "tag": (Tagger, ("model", "vocabulary", "features")),
    "classify": (Classifier, ("model", "labels", "tokenizer", "features", "several", "letters", "ngrams")),
    "keyterms": (KeytermExtractor, ("model", "vocabulary")),
    "language": (LanguageModel, ("model", "tokenizer")),
}


def load(path: str | Path) -> Model:
    """Load a saved model, in evaluation mode, on the CPU.

    Raises ModelError where there is no model at `path`, or where it is damaged or foreign. Nothing is unpickled.
    """
    return built(path, trained=True)


def untrained(path: str | Path) -> Model:
    """The model as it might have begun: the architecture of a saved one, with fresh weights of its seed."""
    return built(path, trained=False)


def checked_config(path: str | Path) -> dict[str, Any]:
    """The config of a model folder, with all its parts as they should be. Raises ModelError."""
    config = read_config(Path(path))
    check_config(config, Path(path))
    return config


def built(path: str | Path, trained: bool) -> Model:
    config = checked_config(path)
    kind, names = MODELS[config["task"]]
    arguments = {**{name: config[name] for name in names}, **later_arguments(config)}
    try:
        # A skeleton of no size first: what does not fit the weights shall not take the memory it speaks of.
        header = read_header(Path(path) / WEIGHTS)
        check_layers(config["model"], header)
        with torch.device("meta"):
            check_weights(kind(**arguments).state_dict(), header)
        weights = read_weights(Path(path), config)
        if not trained:
            torch.manual_seed(config["training"]["seed"])
        model = kind(**arguments)
        model.to(next(part.dtype for part in weights.values() if part.is_floating_point()))
        if not trained:  # what was counted in the data, and not learned, stays
            counted = {name: weights[name] for name, _ in model.named_buffers() if name in weights}
            weights = {**model.state_dict(), **counted}
        model.load_state_dict(weights)
    except Exception as error:  # whatever a foreign config leads to, the folder is at fault
        if isinstance(error, ModelError) and "is a damaged model" in str(error):
            raise
        raise ModelError(f"{path} is a damaged model, or one of another version of Timeloom: {error}") from error
    return model.eval()


def later_arguments(config: dict[str, Any]) -> dict[str, Any]:
    """Arguments that models of earlier versions do not have."""
    later = ("splitting", "plain") if config["task"] == "tag" else ()
    return {name: config[name] for name in later if name in config}


def load_as(kind: type[Kind], path: str | Path) -> Kind:
    """Load a saved model of one task. Raises UsageError where it is of another."""
    model = load(path)
    if not isinstance(model, kind):
        came, wanted = (next(task for task, (made, _) in MODELS.items() if made is one) for one in (type(model), kind))
        raise UsageError(
            f"{path} is a model for the task {came!r}, wanted one for {wanted!r}; timeloom train {wanted} makes one"
        )
    return model
