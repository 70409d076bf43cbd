"""From tagged files to a saved tagger."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from timeloom.core import UsageError
from timeloom.data import Sentence, epoch_batches
from timeloom.structured import HMMHybrid
from timeloom.tasks.tagging.batch import Batch
from timeloom.tasks.tagging.data import Prepared, TaggingData, prepare
from timeloom.tasks.tagging.dependence import dependence_of
from timeloom.tasks.tagging.evaluation import TaggingScores, notes_about_unknown, score_tagger
from timeloom.tasks.tagging.files import TaggedFile
from timeloom.tasks.tagging.model import Tagger
from timeloom.tasks.tagging.options import TaggerOptions
from timeloom.tasks.training import Trained, TrainingRun
from timeloom.train import Problem, TrainingOptions, Watch


class TaggingProblem(Problem):
    """The training of a tagger, as `fit` wants it told."""

    def __init__(self, tagger: Tagger, train: Sequence[Sentence], valid: Sequence[Sentence], options: TrainingOptions):
        self.tagger, self.train, self.valid, self.options = tagger, train, valid, options
        self.measure = "accuracy" if tagger.plain else "f1"
        self.selected_by = "joint" if tagger.labels else self.measure
        self._lengths = [len(sentence.tokens) for sentence in train]

    def plan(self, epoch: int) -> list[list[int]]:
        return epoch_batches(self._lengths, self.options.batch_size, seed=self.options.seed, epoch=epoch)

    def batch(self, indices: Sequence[int]) -> Batch:
        return self.tagger.encode([self.train[index] for index in indices])

    def validate(self, model: Tagger) -> dict[str, float]:
        scores = score_tagger(model, self.valid)
        overall = scores.chunks.overall
        row = {"accuracy": scores.chunks.accuracy}
        if not model.plain:
            row = {"f1": overall.f1, "precision": overall.precision, "recall": overall.recall, **row}
        if self.tagger.labels:
            both = (row[self.measure] + scores.label_accuracy) / 2
            row |= {"label_accuracy": scores.label_accuracy, "joint": both}
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
) -> Trained[Tagger, TaggingScores]:
    """Train a tagger and save it as the folder `out`; checkpoints and logs lie beside it, in `out`.training.

    Raises DataError where a file cannot be read, UsageError where the options contradict each other, the files or an
    earlier run, RunError where training blows up or a file cannot be written, Interrupted after Ctrl-C.
    """
    watch, file = watch or Watch(), file or TaggedFile()
    if data.train_on_valid and training.keep != "last":
        raise UsageError("train_on_valid leaves nothing to pick the best epoch by; give keep=last with it")
    sections = {"data": data, "file": file, "model": model, "training": training}
    run = TrainingRun("tag", out, sections, resume=resume, overwrite=overwrite, watch=watch)
    prepared = prepare(data, file, model, watch)
    parts = prepared.parts
    dependence_of(
        model, prepared.vocabulary["tags"], prepared.plain
    )  # says what is wrong with its costs before there is a folder
    with run.opened(prepared.fingerprint):
        tagger = begin(model, prepared)
        progress = run.learn(tagger, TaggingProblem(tagger, parts["train"], parts["valid"], training))
        valid = score_tagger(tagger, parts["valid"])
        test = score_tagger(tagger, parts["test"]) if "test" in parts else None
        for note in [] if test is None else notes_about_unknown(test, str(data.test)):
            watch.note(note)
        curves = ["f1", "accuracy", "label_accuracy"]
        return run.deliver(tagger, tagger.config(), progress, valid, test, curves)


def begin(options: TaggerOptions, prepared: Prepared) -> Tagger:
    """The tagger before its first step, with all that is taken from the training data by counting."""
    tagger = Tagger(options, prepared.vocabulary, prepared.features, splitting=prepared.splitting, plain=prepared.plain)
    tagger.word_vectors.counts = torch.tensor(prepared.counts, dtype=torch.float32)
    if prepared.vectors is not None:
        numbers, vectors = prepared.vectors
        with torch.no_grad():
            tagger.word_vectors.embedding.weight[numbers] = vectors
    if isinstance(tagger.dependence, HMMHybrid):
        tagger.dependence.count([tagger.tag_ids(sentence.tags or ()) for sentence in prepared.parts["train"]])
    return tagger
