"""Which model a command is about, before its options are known: they depend on the model's task."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from timeloom.tasks.folder import CONFIG
from timeloom.tasks.load import checked_config


def task_of(argv: Sequence[str], otherwise: str) -> str:
    """The task of the model that the words of a command name; `otherwise` where none of them names one."""
    folder = model_in(argv)
    return otherwise if folder is None else checked_config(folder)["task"]


def trained_with(argv: Sequence[str]) -> dict[str, Any]:
    """How the files were written that the model was trained on."""
    folder = model_in(argv)
    return {} if folder is None else checked_config(folder).get("file", {})


def model_in(argv: Sequence[str]) -> Path | None:
    return next((Path(word) for word in argv if is_model(Path(word))), None)


def is_model(path: Path) -> bool:
    try:
        return (path / CONFIG).is_file()
    except OSError:  # a word too long for a name
        return False
