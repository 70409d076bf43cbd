"""From tagged files to a saved tagger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from timeloom.core import UsageError
from timeloom.data import Sentence, epoch_batches
from timeloom.layers import Doctor
from timeloom.pictures import as_png, training_curves
from timeloom.structured import HMMHybrid
from timeloom.tasks.folder import training_folder, write_model
from timeloom.tasks.runs import check_folders, opened_run
from timeloom.tasks.tagging.batch import Batch
from timeloom.tasks.tagging.data import Prepared, TaggingData, prepare
from timeloom.tasks.tagging.evaluation import TaggingScores, notes_about_unknown, score_tagger
from timeloom.tasks.tagging.files import TaggedFile
from timeloom.tasks.tagging.model import Tagger
from timeloom.tasks.tagging.options import TaggerOptions
from timeloom.train import Problem, Progress, TrainingOptions, Watch, fit


@dataclass(frozen=True)
class TaggingRun:
    """What training a tagger gave."""

    tagger: Tagger
    progress: Progress
    valid: TaggingScores
    test: TaggingScores | None
    folder: Path


class TaggingProblem(Problem):
    """The training of a tagger, as `fit` wants it told."""

    def __init__(self, tagger: Tagger, train: Sequence[Sentence], valid: Sequence[Sentence], options: TrainingOptions):
        self.tagger, self.train, self.valid, self.options = tagger, train, valid, options
        self.selected_by = "joint" if tagger.labels else "f1"
        self._lengths = [len(sentence.tokens) for sentence in train]

    def plan(self, epoch: int) -> list[list[int]]:
        return epoch_batches(self._lengths, self.options.batch_size, seed=self.options.seed, epoch=epoch)

    def batch(self, indices: Sequence[int]) -> Batch:
        return self.tagger.encode([self.train[index] for index in indices])

    def validate(self, model: Tagger) -> dict[str, float]:
        scores = score_tagger(model, self.valid)
        overall = scores.chunks.overall
        row = {
            "f1": overall.f1,
            "precision": overall.precision,
            "recall": overall.recall,
            "accuracy": scores.chunks.accuracy,
        }
        if self.tagger.labels:
            row |= {"label_accuracy": scores.label_accuracy, "joint": (overall.f1 + scores.label_accuracy) / 2}
        return row


def train_tagger(
    data: TaggingData,
    model: TaggerOptions,
    training: TrainingOptions,
    out: str | Path,
    *,
    file: TaggedFile | None = None,
    resume: bool = False,
    overwrite: bool = False,
    watch: Watch | None = None,
) -> TaggingRun:
    """Train a tagger and save it as the folder `out`; checkpoints and logs lie beside it, in `out`.training.

    Raises DataError where a file cannot be read, UsageError where the options contradict each other, the files or an
    earlier run, RunError where training blows up or a file cannot be written, Interrupted after Ctrl-C.
    """
    out, watch, file = Path(out), watch or Watch(), file or TaggedFile()
    if data.train_on_valid and training.keep != "last":
        raise UsageError("train_on_valid leaves nothing to pick the best epoch by; give keep=last with it")
    workshop = training_folder(out)
    check_folders(out, workshop, resume, overwrite)
    prepared = prepare(data, file, model, watch)
    run = {"data": asdict(data), "file": asdict(file), "model": asdict(model), "training": asdict(training)}
    with opened_run(workshop, {**run, "fingerprint": prepared.fingerprint}, resume) as begun:
        torch.manual_seed(training.seed)
        tagger = begin(model, prepared)
        problem = TaggingProblem(tagger, prepared.parts["train"], prepared.parts["valid"], training)
        doctor = Doctor(tagger) if training.doctor else None
        progress = fit(tagger, problem, training, workshop, run=begun, resume=resume, watch=watch, onlooker=doctor)
        return finish(out, run, tagger, progress, prepared.parts, watch)


def begin(options: TaggerOptions, prepared: Prepared) -> Tagger:
    """The tagger before its first step, with all that is taken from the training data by counting."""
    tagger = Tagger(options, prepared.vocabulary, prepared.features)
    tagger.word_vectors.counts = torch.tensor(prepared.counts, dtype=torch.float32)
    if prepared.vectors is not None:
        numbers, vectors = prepared.vectors
        with torch.no_grad():
            tagger.word_vectors.embedding.weight[numbers] = vectors
    if isinstance(tagger.dependence, HMMHybrid):
        tagger.dependence.count([tagger.tag_ids(sentence.tags or ()) for sentence in prepared.parts["train"]])
    return tagger


def finish(
    out: Path, run: dict[str, Any], tagger: Tagger, progress: Progress, parts: dict[str, list[Sentence]], watch: Watch
) -> TaggingRun:
    """Score the trained tagger and write its folder."""
    valid = score_tagger(tagger, parts["valid"])
    test = score_tagger(tagger, parts["test"]) if "test" in parts else None
    for note in [] if test is None else notes_about_unknown(test, run["data"]["test"]):
        watch.note(note)
    scores = {"valid": valid.as_dict()} if test is None else {"valid": valid.as_dict(), "test": test.as_dict()}
    shown = [name for name in ("f1", "accuracy", "label_accuracy") if name in progress.history[0]]
    curves = training_curves(progress.history, shown, progress.best_epoch + 1)
    config = {"task": "tag", **run, "scores": scores, "epoch": progress.best_epoch + 1, **tagger.config()}
    write_model(out, config, tagger.state_dict(), {"curves.png": as_png(curves)})
    return TaggingRun(tagger, progress, valid, test, out)
