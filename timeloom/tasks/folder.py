"""A saved model: a folder with `config.json` and `model.safetensors`, written whole or not at all.

The layout is that of huggingface_hub's PyTorchModelHubMixin: `config.json` holds, among more, the arguments of the
model's constructor under their names. Nothing in it is ever unpickled.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from timeloom.core import ModelError, UsageError
from timeloom.core.files import folder_written_whole, reason
from timeloom.tasks.weights import read_regular

CONFIG, WEIGHTS = "config.json", "model.safetensors"
LONGEST = 256 << 20  # bytes of a config
SURROGATE = re.compile("[\ud800-\udfff]")  # in a file name that is not UTF-8, as Python reads it
OPTION_SECTIONS = ("data", "file", "text", "model", "windows", "training")


def training_folder(model_folder: str | Path) -> Path:
    """Where the checkpoints and logs of the training of a model lie: beside it, `models/atis.training`."""
    path = Path(model_folder)
    if path.name in ("", ".."):
        raise UsageError(f"--out is {str(model_folder)!r}, wanted the name of a folder to be made, as in models/atis")
    return path.with_name(path.name + ".training")


def write_model(
    path: str | Path,
    config: Mapping[str, Any],
    weights: Mapping[str, Tensor],
    extra: Mapping[str, bytes] | None = None,
) -> None:
    """Write a model folder in one step. `extra` are further files by name, pictures for instance."""
    content = safetensors.torch.save({name: tensor.contiguous() for name, tensor in weights.items()})
    checked = {**config, "weights_sha256": hashlib.sha256(content).hexdigest()}
    with folder_written_whole(path) as folder:
        (folder / WEIGHTS).write_bytes(content)
        (folder / CONFIG).write_text(as_json(checked), encoding="utf-8")
        for name, data in (extra or {}).items():
            (folder / name).write_bytes(data)


def read_model(path: str | Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The config and the weights of a model folder.

    Raises ModelError where there is no such folder, where it is not a model of Timeloom, or where it is damaged.
    """
    config = read_config(Path(path))
    return config, read_weights(Path(path), config)


def read_weights(folder: Path, config: Mapping[str, Any]) -> dict[str, Tensor]:
    """The weights that were written with a config. Raises ModelError."""
    try:
        content = read_regular(folder / WEIGHTS)
    except OSError as error:
        raise ModelError(f"{folder} is a damaged model: cannot read {WEIGHTS}: {reason(error)}") from error
    wanted = config.get("weights_sha256")
    if wanted is not None and hashlib.sha256(content).hexdigest() != wanted:
        raise ModelError(f"{folder} is a damaged model: {WEIGHTS} is not the file that {CONFIG} was written with")
    try:
        return safetensors.torch.load(content)
    except (SafetensorError, ValueError, KeyError, RuntimeError, AttributeError) as error:
        raise ModelError(f"{folder} is a damaged model: {WEIGHTS} cannot be read: {error}") from error


def read_config(folder: Path) -> dict[str, Any]:
    if not folder.exists():
        unfinished = training_folder(folder)
        if unfinished.exists():
            raise ModelError(f"there is no model at {folder} yet: its training in {unfinished} has not ended")
        raise ModelError(f"there is no model at {folder}")
    if not folder.is_dir():
        raise ModelError(f"{folder} is a file; a model is a folder with {CONFIG} and {WEIGHTS}")
    try:
        config = json.loads(read_regular(folder / CONFIG, most=LONGEST).decode("utf-8"))
    except FileNotFoundError as error:
        raise ModelError(f"{folder} is not a model: it has no {CONFIG}") from error
    except OSError as error:
        raise ModelError(f"cannot read {folder / CONFIG}: {reason(error)}") from error
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{folder} is a damaged model: {CONFIG} is not JSON: {error}") from error
    if not isinstance(config, dict) or not isinstance(config.get("task"), str):
        raise ModelError(f"{folder} is not a model of Timeloom: its {CONFIG} names no task")
    for name in (*OPTION_SECTIONS, "scores"):
        if not isinstance(config.get(name, {}), dict):
            raise ModelError(f"{folder} is a damaged model: {name!r} in {CONFIG} is no object with options")
    return config


def run_options(config: Mapping[str, Any]) -> dict[str, Any]:
    """Every option of the run that made a model, by its name: what is needed to repeat it."""
    return {name: value for section in OPTION_SECTIONS for name, value in config.get(section, {}).items()}


def as_json(config: Mapping[str, Any]) -> str:
    """Indented for people, but a list of plain values on one line: a vocabulary would fill the screen otherwise."""

    def text(value: Any, indent: str) -> str:
        if isinstance(value, Mapping) and value:
            inner = indent + "  "
            rows = (f"{inner}{json.dumps(key)}: {text(part, inner)}" for key, part in value.items())
            return "{\n" + ",\n".join(rows) + "\n" + indent + "}"
        return json.dumps(value, ensure_ascii=False)

    # What UTF-8 cannot have, JSON can spell.
    return SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text(config, "")) + "\n"
