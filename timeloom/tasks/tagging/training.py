"""From tagged files to a saved tagger."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from timeloom.core import DataError, ModelError, UsageError
from timeloom.core.files import empty_folder, locked, make_folder, reason, write_whole
from timeloom.data import Sentence, Vocabulary, epoch_batches
from timeloom.pictures import as_png, training_curves
from timeloom.tasks.folder import read_config, run_options, training_folder, write_model
from timeloom.tasks.tagging.evaluation import TaggingScores, score_tagger
from timeloom.tasks.tagging.files import TaggedFile
from timeloom.tasks.tagging.model import Batch, Tagger, TaggerOptions
from timeloom.train import LAST, Progress, TrainingOptions, Watch, fit

RUN = "run.json"
FREE = {"train", "valid", "test", "checkpoint_seconds"}  # may differ on resume; the data's content may not


@dataclass(frozen=True)
class TaggingData:
    """The data.

    Args:
        train: Tagged sentences to learn from.
        valid: Tagged sentences that pick the best epoch. null: every tenth sentence of train is held out.
        test: Tagged sentences to score the finished model on.
        min_count: Words that train has fewer times than this are unknown words.
    """

    train: str
    valid: str | None = None
    test: str | None = None
    min_count: int = 1


@dataclass(frozen=True)
class TaggingRun:
    """What training a tagger gave."""

    tagger: Tagger
    progress: Progress
    valid: TaggingScores
    test: TaggingScores | None
    folder: Path


class TaggingProblem:
    """The training of a tagger, as `fit` wants it told."""

    selected_by = "f1"

    def __init__(self, tagger: Tagger, train: Sequence[Sentence], valid: Sequence[Sentence], options: TrainingOptions):
        self.tagger, self.train, self.valid, self.options = tagger, train, valid, options
        self._lengths = [len(sentence.tokens) for sentence in train]

    def plan(self, epoch: int) -> list[list[int]]:
        return epoch_batches(self._lengths, self.options.batch_size, seed=self.options.seed, epoch=epoch)

    def batch(self, indices: Sequence[int]) -> Batch:
        chosen = [self.train[index] for index in indices]
        return self.tagger.encode([s.tokens for s in chosen], [s.tags or () for s in chosen])

    def validate(self, model: torch.nn.Module) -> dict[str, float]:
        scores = score_tagger(self.tagger, self.valid).chunks
        overall = scores.overall
        return {
            "f1": overall.f1,
            "precision": overall.precision,
            "recall": overall.recall,
            "accuracy": scores.accuracy,
        }


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
    workshop = training_folder(out)
    check_folders(out, workshop, resume, overwrite)
    parts, fingerprint = read_parts(data, file, watch)
    vocabulary, counts = collect_vocabulary(parts["train"], model, data.min_count)
    run = {"data": asdict(data), "file": asdict(file), "model": asdict(model), "training": asdict(training)}
    make_folder(workshop)
    with locked(workshop):
        if not resume:
            empty_folder(workshop, last=RUN)  # what still has its run.json is still a training, after a crash
        begun = remember_run(workshop / RUN, {**run, "fingerprint": fingerprint}, resume)
        torch.manual_seed(training.seed)
        tagger = Tagger(model, vocabulary)
        tagger.word_counts = torch.tensor(counts, dtype=torch.float32)
        problem = TaggingProblem(tagger, parts["train"], parts["valid"], training)
        progress = fit(tagger, problem, training, workshop, run=begun, resume=resume, watch=watch)
        return finish(out, run, tagger, progress, parts)


def finish(
    out: Path, run: dict[str, Any], tagger: Tagger, progress: Progress, parts: dict[str, list[Sentence]]
) -> TaggingRun:
    """Score the trained tagger and write its folder."""
    valid = score_tagger(tagger, parts["valid"])
    test = score_tagger(tagger, parts["test"]) if "test" in parts else None
    scores = {"valid": valid.as_dict()} if test is None else {"valid": valid.as_dict(), "test": test.as_dict()}
    curves = training_curves(progress.history, ("f1", "accuracy"), progress.best_epoch + 1)
    config = {"task": "tag", **run, "scores": scores, "epoch": progress.best_epoch + 1, **tagger.config()}
    write_model(out, config, tagger.state_dict(), {"curves.png": as_png(curves)})
    return TaggingRun(tagger, progress, valid, test, out)


def check_folders(out: Path, workshop: Path, resume: bool, overwrite: bool) -> None:
    """See that nothing will be replaced that anybody wants, or that is not a model or a training of ours."""
    if resume and overwrite:
        raise UsageError("--resume goes on with a run and --overwrite starts anew; give one of them")
    inside = [path.name for path in workshop.iterdir()] if workshop.is_dir() else []
    if workshop.exists() and not workshop.is_dir():
        raise UsageError(f"{workshop} is a file; the training needs a folder of that name. Move it away.")
    if RUN not in inside and any(not name.startswith(".") for name in inside):
        raise UsageError(f"{workshop} is there and is not the folder of a training ({RUN} is not in it); move it away")
    if not resume and not overwrite:
        for path in (out, workshop / LAST):  # a run without a checkpoint has nothing to lose
            if path.exists():
                raise UsageError(
                    f"{path} is already there. Give another --out, go on with that run by --resume, or start it anew "
                    "by --overwrite."
                )
    if out.exists():
        try:
            read_config(out)
        except ModelError as error:
            raise UsageError(f"{out} will not be replaced, for only a model may be: {error}") from error
        if resume and not workshop.exists():
            raise UsageError(f"{out} is a finished model, and {workshop} is not there to go on from")


def read_parts(data: TaggingData, file: TaggedFile, watch: Watch) -> tuple[dict[str, list[Sentence]], str]:
    """The sentences for training, validation and testing, and a hash of the first two."""
    parts: dict[str, list[Sentence]] = {}
    for name in ("train", "valid", "test"):
        path = getattr(data, name)
        if path is not None:
            parts[name], notes = file.read(path)
            for note in notes:
                watch.note(note)
    if "valid" not in parts:
        if len(parts["train"]) < 2:
            raise DataError(
                "has one sentence only, so none can be held out for validation. Give more, or name a file by --valid.",
                data.train,
            )
        sentences = parts["train"]
        parts["valid"] = sentences[9::10] or sentences[-1:]
        held_out = {id(sentence) for sentence in parts["valid"]}
        parts["train"] = [sentence for sentence in sentences if id(sentence) not in held_out]
        watch.note(f"no --valid: {len(parts['valid'])} of the {len(sentences)} sentences in {data.train} are held out")
    known = {tag for sentence in parts["train"] for tag in sentence.tags or ()}
    strange = Counter(tag for s in parts["valid"] for tag in s.tags or () if tag not in known)
    if strange:
        watch.note(
            f"{data.valid or 'the held-out part'} has tags that the training sentences have not, so they cannot be "
            f"learned: {', '.join(sorted(strange))}"
        )
    if known <= {"O"}:
        watch.note(f"every tag in {data.train} is O, so there is nothing to find")
    content = [(s.tokens, s.tags) for name in ("train", "valid") for s in parts[name]]
    return parts, hashlib.sha256(json.dumps(content).encode()).hexdigest()


def collect_vocabulary(
    sentences: Sequence[Sentence], options: TaggerOptions, min_count: int
) -> tuple[dict[str, list[str]], list[int]]:
    """Words, tags and letters of the training data, and how often each word of the vocabulary occurs."""
    tokens = [token for sentence in sentences for token in sentence.tokens]
    words = Vocabulary.build((options.normal_form(token) for token in tokens), min_count)
    tags = sorted({tag for sentence in sentences for tag in sentence.tags or ()})
    letters = Vocabulary.build(letter for token in tokens for letter in token)
    vocabulary = {"words": list(words.symbols), "tags": tags, "characters": list(letters.symbols)}
    return vocabulary, list(words.counts or ())


def remember_run(path: Path, run: Mapping[str, Any], resume: bool) -> str:
    """Write down what is being run; when resuming, see that it is the same run. Gives a name that is its own."""
    before = recall_run(path) if resume else None
    if before is not None:
        if before["fingerprint"] != run["fingerprint"]:
            raise UsageError(f"cannot resume {path.parent}: the data are not those that the run began with")
        began_with = run_options(before)
        for name, value in run_options(run).items():
            if not may_become(name, began_with.get(name), value, began_with):
                raise UsageError(
                    f"cannot resume {path.parent} with another {name}: "
                    f"it began with {began_with.get(name)}, now came {value}"
                )
    write_whole(path, json.dumps(run, indent=2).encode())
    lasting = {name: value for name, value in run_options(run).items() if name not in FREE | {"epochs", "patience"}}
    return hashlib.sha256(json.dumps([run["fingerprint"], lasting], sort_keys=True).encode()).hexdigest()


def may_become(name: str, before: Any, now: Any, began_with: Mapping[str, Any]) -> bool:
    """Whether an option may change on resume: only so that the run is one that could have begun with its new value."""
    if name in FREE or before == now:
        return True
    if name == "epochs":  # under any other schedule the steps already taken would have been others
        return now > before and began_with["schedule"] == "constant"
    return name == "patience" and before != 0 and (now == 0 or now > before)


def recall_run(path: Path) -> dict[str, Any] | None:
    """What an earlier start wrote down; None where there was none."""
    try:
        run = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ModelError(f"cannot read {path}: {reason(error)}") from error
    except ValueError as error:
        raise ModelError(f"{path} is damaged: {error}") from error
    if not isinstance(run, dict) or not isinstance(run.get("fingerprint"), str):
        raise ModelError(f"{path} is damaged: it does not describe a run")
    return run
