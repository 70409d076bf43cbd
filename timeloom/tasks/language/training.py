"""From a text file to a saved language model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from timeloom.data import UNKNOWN, TextOptions, Window, WindowOptions, Windows, plan_windows
from timeloom.tasks.language.data import LanguageData, Numbers, learn_symbols, parts
from timeloom.tasks.language.evaluation import TextScores, evaluate_language_model, score_text
from timeloom.tasks.language.model import NOTHING, LanguageModel, Slice
from timeloom.tasks.language.options import LanguageOptions
from timeloom.tasks.training import Trained, TrainingRun
from timeloom.train import Problem, TrainingOptions, Watch

BLOCK = 1 << 20  # symbols looked at together


class LanguageProblem(Problem):
    """The training of a language model, as `fit` wants it told: a text in B streams side by side, read in windows."""

    selected_by, lower_is_better = "nats", True

    def __init__(
        self,
        model: LanguageModel,
        train: Numbers,
        valid: Numbers,
        windows: WindowOptions,
        training: TrainingOptions,
    ):
        self.model, self.train, self.valid, self.windows = model, train, valid, windows
        # Of a short text fewer streams are made, so that each has a window at least.
        self.seed, self.streams = training.seed, max(1, min(training.batch_size, (len(train) - 1) // windows.window))
        self.steps = -(-(len(train) - 1) // self.streams)  # of a stream; the last one may end earlier
        self.state: tuple[Any, ...] | None = None

    def plan(self, epoch: int) -> Windows:
        return plan_windows(self.steps, self.windows, seed=self.seed, epoch=epoch)

    def batch(self, indices: Sequence[int]) -> Slice:
        read, start, stop, carry, fresh = indices
        window = Window(read, start, stop, carry, bool(fresh))
        at = np.arange(self.streams)[:, None] * self.steps + np.arange(window.read, window.stop)
        missing = at >= len(self.train) - 1
        at[missing] = 0
        targets = self.train[at + 1].astype(np.int64)
        targets[missing] = NOTHING
        targets[:, : window.start - window.read] = NOTHING
        symbols = torch.from_numpy(self.train[at].astype(np.int64))
        state = None if window.fresh else self.state
        return Slice(symbols, torch.from_numpy(targets), state, window.carry - window.read)

    def stepped(self, batch: Slice) -> None:
        self.state = batch.after

    def carried(self) -> dict[str, Tensor]:
        return {} if self.state is None else self.model.layers.pack_state(self.state)

    def carry_on(self, tensors: Mapping[str, Tensor]) -> None:
        self.state = self.model.layers.unpack_state(tensors) if tensors else None

    def validate(self, model: LanguageModel) -> dict[str, float]:
        scores = score_text(model, self.valid)
        return {"nats": scores.nats, "bits": scores.bits, "perplexity": scores.perplexity}


def train_language_model(
    data: LanguageData,
    text: TextOptions,
    model: LanguageOptions,
    windows: WindowOptions,
    training: TrainingOptions,
    out: str | Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    watch: Watch | None = None,
) -> Trained[LanguageModel, TextScores]:
    """Train a language model and save it as the folder `out`; checkpoints and logs lie beside it, in `out`.training.

    Raises DataError where a file cannot be read, UsageError where the options contradict each other, the files or an
    earlier run, RunError where training blows up or a file cannot be written, Interrupted after Ctrl-C.
    """
    watch = watch or Watch()
    sections = {"data": data, "text": text, "model": model, "windows": windows, "training": training}
    run = TrainingRun("language", out, sections, resume=resume, overwrite=overwrite, watch=watch)
    tokenizer, fingerprint = learn_symbols(data, text)
    with run.opened(fingerprint):
        learner = LanguageModel(model, tokenizer)
        try:
            train, valid = parts(data, tokenizer, run.workshop, watch)
            progress = run.learn(learner, LanguageProblem(learner, train, valid, windows, training))
            found = replace(score_text(learner, valid), unknown=unknown_in(valid, learner))
        finally:
            for file in run.workshop.glob("*.numbers"):  # the next start writes them anew
                file.unlink()
        test = None if data.test is None else evaluate_language_model(learner, data.test)
        axes = {"loss_in": "nats per symbol", "scores_in": "nats per symbol"}
        return run.deliver(learner, learner.config(), progress, found, test, ["nats"], **axes)


def unknown_in(numbers: Numbers, model: LanguageModel) -> int:
    """How many of some numbers behind the first are that of `<unk>`."""
    unknown = model.tokenizer.vocabulary.ids.get(UNKNOWN)
    if unknown is None:
        return 0
    return sum(int((numbers[at : at + BLOCK] == unknown).sum()) for at in range(1, len(numbers), BLOCK))
