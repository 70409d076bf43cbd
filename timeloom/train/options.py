"""What can be said about a training run, whatever the task."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from timeloom.core import UsageError, check_seed

PASSES, UPDATES = 12, 1200  # as many passes, or those that give as many updates: what data of unknown size get
LARGE = 1e38  # the largest numbers of float32 are a little larger


@dataclass(frozen=True)
class TrainingOptions:
    """How to train.

    Args:
        epochs: Passes over the training data. null: 12, or where these have fewer than 1,200 updates, as small data
            sets have, as many as have these.
        batch_size: Sequences in one step.
        optimizer: The rule that turns gradients into steps.
        learning_rate: Step size at the top of the schedule.
        weight_decay: Decoupled for adamw, added to the gradient for the others.
        momentum: For sgd and rmsprop.
        schedule: How the learning rate falls to zero over the run; constant keeps it.
        warmup: Share of all steps in which the learning rate climbs from zero.
        clip_norm: Longest gradient, over all parameters together; longer ones are scaled down. null: any length.
        clip_value: Largest entry of a gradient; applied before clip_norm. null: any size.
        keep: Which epoch's weights the model is made of: the best on the validation data (of equals the later), or the
            last, for a final model of settings that were chosen before; its validation data may then be part of what it
            learns from.
        patience: Epochs without a better validation score before the run stops; 0 never stops early.
        seed: Seed of the weights, the order of the data and all noise. Same seed, same bytes.
        checkpoint_seconds: Longest time between two checkpoints inside an epoch; one is always written at its end.
        doctor: Look on, and say what is wrong: exploding or vanishing gradients, dead units, saturated gates.
        accelerator: Where to compute, in the words of Lightning Fabric.
        precision: Number format, in the words of Lightning Fabric.
    """

    epochs: int | None = 30
    batch_size: int = 16
    optimizer: Literal["adam", "adamw", "sgd", "rmsprop", "adagrad"] = "adam"
    learning_rate: float = 2e-3
    weight_decay: float = 0.0
    momentum: float = 0.0
    schedule: Literal["constant", "linear", "cosine"] = "linear"
    warmup: float = 0.0
    clip_norm: float | None = 5.0
    clip_value: float | None = None
    keep: Literal["best", "last"] = "best"
    patience: int = 0
    seed: int = 1
    checkpoint_seconds: float = 30.0
    doctor: bool = True
    accelerator: Literal["cpu", "cuda", "mps", "auto"] = "cpu"
    precision: Literal["32-true", "64-true", "16-mixed", "bf16-mixed", "bf16-true"] = "32-true"

    def __post_init__(self) -> None:
        at_least = {"epochs": 1, "batch_size": 1, "patience": 0, "checkpoint_seconds": 0, "weight_decay": 0}
        for name, least in at_least.items():
            if getattr(self, name) is not None and getattr(self, name) < least:
                raise UsageError(f"{name} is {getattr(self, name)}, wanted {least} or more")
        for name in ("warmup", "momentum"):
            if not 0 <= getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)}, wanted 0 ≤ {name} < 1")
        for name in ("learning_rate", "clip_norm", "clip_value"):
            value = getattr(self, name)
            if value is not None and not 0 < value < LARGE:
                raise UsageError(f"{name} is {value}, wanted more than 0 and less than {LARGE:g}")
        if self.keep == "last" and self.patience:
            raise UsageError("patience waits for a better epoch, and keep=last takes the last one; give one of them")
        check_seed(self.seed)

    def passes(self, updates: int) -> int:
        """Passes over training data that have this many updates each."""
        if self.epochs is not None:
            return self.epochs
        return max(PASSES, math.ceil(UPDATES / max(1, updates)))
