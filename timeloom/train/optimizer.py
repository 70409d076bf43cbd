"""Optimizers and learning-rate schedules by name."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor
from torch.optim import Optimizer

from timeloom.train.options import TrainingOptions


def make_optimizer(parameters: Iterable[Tensor], options: TrainingOptions) -> Optimizer:
    """The optimizer that the options name."""
    lr, decay = options.learning_rate, options.weight_decay
    fused = options.accelerator == "cpu"  # one pass over each weight, which counts for large embeddings
    match options.optimizer:
        case "adam":
            return torch.optim.Adam(parameters, lr=lr, fused=fused, weight_decay=decay)
        case "adamw":
            return torch.optim.AdamW(parameters, lr=lr, fused=fused, weight_decay=decay)
        case "sgd":
            return torch.optim.SGD(parameters, lr=lr, fused=fused, momentum=options.momentum, weight_decay=decay)
        case "rmsprop":
            return torch.optim.RMSprop(parameters, lr=lr, momentum=options.momentum, weight_decay=decay)
        case "adagrad":
            return torch.optim.Adagrad(parameters, lr=lr, fused=fused, weight_decay=decay)


def learning_rate(step: int, total_steps: int, options: TrainingOptions) -> float:
    """The learning rate of step `step` (from 0) out of `total_steps`: a pure function, so nothing of it is saved."""
    climb = options.warmup * total_steps
    if step < climb:
        return options.learning_rate * (step + 1) / (climb + 1)
    progress = (step - climb) / max(1, total_steps - climb)
    match options.schedule:
        case "constant":
            return options.learning_rate
        case "linear":
            return options.learning_rate * (1 - progress)
        case "cosine":
            return options.learning_rate * 0.5 * (1 + math.cos(math.pi * progress))
