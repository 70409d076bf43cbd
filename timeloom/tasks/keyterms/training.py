"""From documents to a saved extractor of key terms."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from timeloom.core import DataError
from timeloom.data import Document, Vocabulary, epoch_batches
from timeloom.tasks.keyterms.evaluation import KeytermScores, score_extractor
from timeloom.tasks.keyterms.model import Batch, KeytermExtractor
from timeloom.tasks.keyterms.options import DocumentFile, KeytermOptions
from timeloom.tasks.keyterms.spans import standing
from timeloom.tasks.training import Trained, TrainingRun
from timeloom.train import Problem, TrainingOptions, Watch


@dataclass(frozen=True)
class KeytermData:
    """The data.

    Args:
        train: Documents with their key terms to learn from.
        valid: Such that pick the best epoch. null: every tenth of train is held out.
        test: Such to score the finished model on.
    """

    train: str
    valid: str | None = None
    test: str | None = None


class KeytermProblem(Problem):
    """The training of an extractor, as `fit` wants it told."""

    selected_by = "f1_at_10"

    def __init__(
        self,
        extractor: KeytermExtractor,
        train: Sequence[Document],
        valid: Sequence[Document],
        options: TrainingOptions,
    ):
        self.extractor, self.train, self.valid, self.options = extractor, train, valid, options
        self._lengths = [len(document.words) for document in train]

    def plan(self, epoch: int) -> list[list[int]]:
        return epoch_batches(self._lengths, self.options.batch_size, seed=self.options.seed, epoch=epoch)

    def batch(self, indices: Sequence[int]) -> Batch:
        return self.extractor.encode([self.train[index] for index in indices])

    def validate(self, model: KeytermExtractor) -> dict[str, float]:
        scores = score_extractor(model, self.valid)
        return {"f1_at_5": scores.f1_at[5], "f1_at_10": scores.f1_at[10], "span_f1": scores.spans.overall.f1}


def train_keyterm_extractor(
    data: KeytermData,
    model: KeytermOptions,
    training: TrainingOptions,
    out: str | Path,
    *,
    file: DocumentFile | None = None,
    resume: bool = False,
    overwrite: bool = False,
    watch: Watch | None = None,
) -> Trained[KeytermExtractor, KeytermScores]:
    """Train an extractor and save it as the folder `out`; checkpoints and logs lie beside it, in `out`.training.

    Raises DataError where a file cannot be read, UsageError where the options contradict each other, the files or an
    earlier run, RunError where training blows up or a file cannot be written, Interrupted after Ctrl-C.
    """
    watch, file = watch or Watch(), file or DocumentFile()
    sections = {"data": data, "file": file, "model": model, "training": training}
    run = TrainingRun("keyterms", out, sections, resume=resume, overwrite=overwrite, watch=watch)
    parts = read_parts(data, file, watch)
    content = repr([(one.words, one.terms) for name in ("train", "valid") for one in parts[name]]).encode()
    with run.opened(hashlib.sha256(content).hexdigest()):
        seen = Counter(word.lower() for document in parts["train"] for word in document.words)
        extractor = KeytermExtractor(model, Vocabulary.build(seen.elements(), model.min_count).symbols)
        extractor.counts = torch.tensor([float(seen[word]) for word in extractor.words.symbols])
        progress = run.learn(extractor, KeytermProblem(extractor, parts["train"], parts["valid"], training))
        valid = score_extractor(extractor, parts["valid"])
        test = score_extractor(extractor, parts["test"]) if "test" in parts else None
        curves = ["f1_at_5", "f1_at_10", "span_f1"]
        return run.deliver(extractor, extractor.config(), progress, valid, test, curves)


def read_parts(data: KeytermData, file: DocumentFile, watch: Watch) -> dict[str, list[Document]]:
    """The documents by part; what is odd in them is said."""
    parts = {name: file.read(path) for name in ("train", "valid", "test") if (path := getattr(data, name)) is not None}
    for name in ("train", "valid"):
        empty = [one for one in parts.get(name, ()) if not one.words]
        if empty:
            where = "" if empty[0].line is None else f", the first in line {empty[0].line}"
            watch.note(f"{getattr(data, name)} has {len(empty)} empty documents{where}")
            parts[name] = [one for one in parts[name] if one.words]
            if not parts[name]:
                raise DataError("every document is empty", getattr(data, name))
    if "valid" not in parts:
        if len(parts["train"]) < 2:
            raise DataError("has one document only, so none can be held out; name a file by --valid", data.train)
        whole = parts["train"]
        parts["valid"] = whole[9::10] or whole[-1:]
        parts["train"] = [one for number, one in enumerate(whole) if number % 10 != 9 and one is not parts["valid"][0]]
        watch.note(f"no --valid: {len(parts['valid'])} of the {len(whole)} documents in {data.train} are held out")
    there = sum(len(standing(one)) for one in parts["train"])
    wanted = sum(len(one.terms) for one in parts["train"])
    if not there:
        raise DataError(
            f"none of the {wanted} key terms stands in its document, so there is nothing to learn", data.train
        )
    watch.note(f"of the {wanted} key terms in {data.train}, {there} stand word for word in their documents")
    return parts
