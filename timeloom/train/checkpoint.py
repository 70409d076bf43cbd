"""Where a training run stands, on disk: enough to go on to the same bytes as a run that never stopped."""

from __future__ import annotations

import io
import pickle
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from timeloom.core import ModelError
from timeloom.core.files import reason, write_whole

FORMAT = 3  # raised whenever an older checkpoint can no longer be read


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
    """Write the checkpoint whole: a kill at any moment leaves the one before.

    `tensors` holds what `load_checkpoint` gives back beside the progress: state dicts of model and optimizer.
    """
    content = {"format": FORMAT, "progress": asdict(progress), "rng": torch.get_rng_state(), **tensors}
    if torch.cuda.is_available():
        content["cuda_rng"] = torch.cuda.get_rng_state_all()
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_whole(path, buffer.getbuffer())


def load_checkpoint(path: Path) -> tuple[Progress, dict[str, Any]]:
    """Read a checkpoint and set the random number generators to where they stood. Nothing is unpickled freely."""
    try:
        data = io.BytesIO(path.read_bytes())
    except OSError as error:
        raise ModelError(f"cannot read {path}: {reason(error)}") from error
    try:
        content = torch.load(data, weights_only=True, map_location="cpu")
    except (RuntimeError, pickle.UnpicklingError, EOFError, ValueError, KeyError, OSError) as error:
        raise ModelError(f"{path} is not a checkpoint of Timeloom, or it is damaged: {first_line(error)}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        came = content.get("format") if isinstance(content, dict) else type(content).__name__
        raise ModelError(f"{path} has the checkpoint format {came}, this version of Timeloom reads {FORMAT}")
    torch.set_rng_state(content["rng"])
    if "cuda_rng" in content and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(content["cuda_rng"])
    return Progress(**content["progress"]), content


def first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
