"""Where a training run stands, on disk: enough to go on to the same bytes as a run that never stopped."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from timeloom.core import ModelError
from timeloom.core.sealed import Seal, read_sealed, write_sealed

FORMAT = 4  # raised whenever an older checkpoint can no longer be read
SEAL = Seal(
    before=b"timeloom checkpoint, sha256 ",
    after=b"\n",
    what="a checkpoint of Timeloom",
    advice="Put back a copy of the file if you have one, or start anew with --overwrite.",
)


@dataclass
class Progress:
    """How far a run has come. Plain numbers and lists, so that a checkpoint needs nothing but torch's safe loader."""

    epoch: int = 0  # the epoch that is running, from 0
    step: int = 0  # steps done in that epoch
    steps: int = 0  # steps done in all
    seconds: float = 0.0  # time spent in all, over every start of the run
    epoch_seconds: float = 0.0
    loss_sum: float = 0.0  # nats, summed over the steps of this epoch
    clipped: int = 0  # steps of this epoch whose gradient was too long
    best_epoch: int = -1
    best_score: float = float("-inf")
    waiting: int = 0  # epochs since that score was last passed, not only reached
    history: list[dict[str, float]] = field(default_factory=list)  # one row an epoch


def save_checkpoint(path: Path, progress: Progress, tensors: dict[str, Any]) -> None:
    """Write the checkpoint whole and under a checksum: a kill at any moment leaves the one before.

    `tensors` holds what `load_checkpoint` gives back beside the progress: state dicts of model and optimizer, the best
    weights so far, what one step leaves to the next, and the name of the run.
    """
    content = {"format": FORMAT, "progress": asdict(progress), "rng": torch.get_rng_state(), **tensors}
    if torch.cuda.is_available():
        content["cuda_rng"] = torch.cuda.get_rng_state_all()
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_sealed(path, buffer.getbuffer(), SEAL)


def load_checkpoint(path: Path) -> tuple[Progress, dict[str, Any]]:
    """Read a checkpoint and set the random number generators to where they stood. Nothing is unpickled freely.

    Raises ModelError where the file is not, to the bit, what `save_checkpoint` wrote.
    """
    data = io.BytesIO(read_sealed(path, SEAL))
    try:
        content = torch.load(data, weights_only=True, map_location="cpu")
    except Exception as error:  # whoever forges the checksum, too, may have torch's reader fail in any way
        raise SEAL.damaged(path, first_line(error)) from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        came = content.get("format") if isinstance(content, dict) else type(content).__name__
        raise ModelError(f"{path} has the checkpoint format {came}, this version of Timeloom reads {FORMAT}")
    for name, is_right in PARTS.items():
        if name not in content or not is_right(content[name]):
            raise SEAL.damaged(path, f"its {name} is not there or of another form")
    try:
        torch.set_rng_state(content["rng"])
        if "cuda_rng" in content and torch.cuda.is_available():
            torch.cuda.set_rng_state_all(content["cuda_rng"])
    except (RuntimeError, TypeError) as error:
        raise SEAL.damaged(path, f"its random number generator's state does not fit: {first_line(error)}") from error
    return Progress(**content["progress"]), content


def is_progress(value: object) -> bool:
    """Whether these are the fields of a Progress that can be."""
    plain = asdict(Progress())
    if not isinstance(value, dict) or value.keys() != plain.keys():
        return False
    kinds = {name: (int, float) if isinstance(start, float) else type(start) for name, start in plain.items()}
    if not all(isinstance(value[name], kind) for name, kind in kinds.items()):
        return False
    counted = all(value[name] >= 0 for name in ("epoch", "step", "steps", "clipped", "waiting"))
    rows = value["history"]
    return counted and -1 <= value["best_epoch"] < max(1, value["epoch"]) and is_history(rows, value["epoch"])


def is_history(rows: list[Any], epochs: int) -> bool:
    return len(rows) == epochs and all(
        isinstance(row, dict)
        and row.keys() <= rows[0].keys()
        and all(isinstance(name, str) and isinstance(number, int | float) for name, number in row.items())
        for row in rows
    )


def are_tensors(value: object) -> bool:
    """Whether this is a mapping of names to tensors."""
    return isinstance(value, Mapping) and all(
        isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in value.items()
    )


PARTS: dict[str, Callable[[Any], bool]] = {
    "progress": is_progress,
    "rng": lambda value: isinstance(value, Tensor),
    "run": lambda value: isinstance(value, str),
    "model": lambda value: isinstance(value, Mapping),  # torch compares it with the model's own
    "optimizer": lambda value: isinstance(value, dict) and {"state", "param_groups"} <= value.keys(),
    "best": lambda value: isinstance(value, Mapping),
    "carried": are_tensors,
}


def first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
