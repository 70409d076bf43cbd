"""A model folder of any task → the model."""

from __future__ import annotations

from pathlib import Path

from timeloom.core import ModelError
from timeloom.tasks.folder import read_model
from timeloom.tasks.tagging import Tagger, load_tagger

LOADERS = {"tag": load_tagger}


def load(path: str | Path) -> Tagger:
    """Load a saved model, in evaluation mode, on the CPU.

    Raises ModelError where there is no model at `path`, or where it is damaged or foreign. Nothing is unpickled.
    """
    config, weights = read_model(path)
    loader = LOADERS.get(config["task"])
    if loader is None:
        raise ModelError(f"{path} is a model for the task {config['task']!r}; this version knows: {', '.join(LOADERS)}")
    return loader(config, weights, path)
