"""From files to examples, and the labels and symbols among them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from timeloom.core import DataError, UsageError
from timeloom.data import Example, seed_of
from timeloom.tasks.classify.odd import notes_on_labels
from timeloom.tasks.classify.options import LabelledFile
from timeloom.train import Watch


@dataclass(frozen=True)
class ClassifyData:
    """The data.

    Args:
        train: Labelled texts, or series of vectors, to learn from.
        valid: Examples used to select the best epoch. null: a tenth of train, drawn by a fixed seed, is held out.
        test: Examples to score the finished model on.
    """

    train: str
    valid: str | None = None
    test: str | None = None


@dataclass(frozen=True)
class Prepared:
    """What training begins with: examples by part, the labels, and a hash of what is learned from."""

    parts: dict[str, list[Example]]
    labels: list[str]
    several: bool
    features: int  # of series; 0 for texts
    fingerprint: str


def prepare(data: ClassifyData, file: LabelledFile, watch: Watch) -> Prepared:
    """Read all files and say what is odd in them."""
    parts: dict[str, list[Example]] = {}
    for name in ("train", "valid", "test"):
        path = getattr(data, name)
        if path is not None:
            parts[name] = checked(file.read(path), path, watch, learned=name != "test")
    whole = parts["train"]
    uneven = [example for example in whole if len(example.labels) != 1]
    several = file.label_separator is not None or bool(uneven)
    if uneven and file.label_separator is None:
        where = f", the first in line {uneven[0].line}" if uneven[0].line else ""
        watch.note(
            f"{len(uneven)} of the {len(whole)} examples in {data.train} have no label or several{where}, so each "
            "label gets a probability of its own"
        )
    labels = sorted({label for example in whole for label in example.labels})
    for note in notes_on_labels(whole, data.train, file):
        watch.note(note)
    if len(labels) < (1 if several else 2):
        only = f"every example has the label {labels[0]!r}" if labels else "no example has a label"
        raise DataError(f"{only}, so there is nothing to tell apart", data.train)
    if "valid" not in parts:
        parts["train"], parts["valid"] = held_out(parts["train"], data.train, watch)
    for name in ("valid", "test"):
        unknown = Counter(label for example in parts.get(name, ()) for label in example.labels if label not in labels)
        if unknown:
            listed = ", ".join(f"{label} ({count})" for label, count in sorted(unknown.items())[:10])
            watch.note(
                f"{getattr(data, name) or 'the held-out part'} has labels that training has not, which cannot be "
                f"found: {listed}"
            )
    widths = {0 if isinstance(one.content, str) else one.content.shape[1] for part in parts.values() for one in part}
    if len(widths) > 1:
        raise UsageError(f"the files have series of different widths, or texts beside series: {sorted(widths)}")
    return Prepared(parts, labels, several, widths.pop(), fingerprint_of(parts))


def checked(examples: list[Example], path: str, watch: Watch, learned: bool) -> list[Example]:
    """The examples with something in them; of those to learn from, the empty ones are left out and said."""
    empty = [example for example in examples if isinstance(example.content, str) and not example.content.strip()]
    if not empty or not learned:
        return examples
    where = f", the first in line {empty[0].line}" if empty[0].line else ""
    watch.note(f"{path} has {len(empty)} empty texts{where}; they are left out")
    full = [example for example in examples if not isinstance(example.content, str) or example.content.strip()]
    if not full:
        raise DataError("every text is empty", path)
    return full


def held_out(examples: list[Example], path: str, watch: Watch) -> tuple[list[Example], list[Example]]:
    """What is learned, and a tenth of all, drawn: files are often sorted by label."""
    if len(examples) < 2:
        raise DataError("has one example only, so none can be held out for validation; name a file by --valid", path)
    order = torch.randperm(len(examples), generator=torch.Generator().manual_seed(seed_of(0, 0))).tolist()
    count = max(1, len(examples) // 10)
    left = Counter(label for example in examples for label in example.labels)
    out: set[int] = set()
    for index in order:  # the last example of a label stays: what is never seen cannot be learned
        if len(out) < count and all(left[label] > 1 for label in examples[index].labels):
            out.add(index)
            left.subtract(examples[index].labels)
    if not out:
        raise DataError("has one example of each label only, so none can be held out; name a file by --valid", path)
    watch.note(f"no --valid: {len(out)} of the {len(examples)} examples in {path} are held out")
    kept = [example for index, example in enumerate(examples) if index not in out]
    return kept, [examples[index] for index in sorted(out)]


def fingerprint_of(parts: dict[str, list[Example]]) -> str:
    seen = hashlib.sha256()
    for name in ("train", "valid"):
        for example in parts[name]:
            content = example.content.encode() if isinstance(example.content, str) else example.content.tobytes()
            seen.update(repr((len(content), example.labels)).encode() + content)
        seen.update(b"\0")
    return seen.hexdigest()


def steps_of(examples: Sequence[Example]) -> list[int]:
    return [len(example.content) for example in examples]
