"""A folder of parallel files, one sentence a line: `seq.in` (tokens), `seq.out` (tags) and perhaps `label`.

Each may be gzipped (`seq.in.gz`). This is how SlotGated-SLU lays out ATIS and Snips.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

from timeloom.core import DataError
from timeloom.data.readers.text import columns, numbered_lines, shortened
from timeloom.data.sentence import Sentence


def tagged_folder(folder: Path) -> Iterator[Sentence]:
    """Sentences with tags. Files or lines that do not run side by side are a DataError with file and line."""
    token_file, tag_file = find(folder, "seq.in"), find(folder, "seq.out")
    label_file = next((path for path in candidates(folder, "label") if path.exists()), None)
    labels = side_by_side(token_file, label_file) if label_file else None
    for number, token_line, tag_line in side_by_side(token_file, tag_file):
        tokens, tags = columns(token_line), columns(tag_line)
        label = next(labels)[2].strip() if labels else None
        if not tokens:
            raise DataError("an empty line, the tokens of a sentence were wanted", token_file, number)
        if len(tokens) != len(tags):
            raise DataError(
                f"{len(tags)} tags, wanted {len(tokens)}, one for each token of {token_file.name}:{number}.\n"
                f"  tokens: {shortened(token_line)}\n  tags:   {shortened(tag_line)}\n"
                "  Mend one of the two lines.",
                tag_file,
                number,
            )
        if label == "":
            raise DataError("an empty line, the label of a sentence was wanted", label_file, number)
        yield Sentence(tuple(tokens), tuple(tags), label, line=number)
    if labels:
        next(labels, None)  # the labels have their own end to check


def untagged_folder(folder: Path) -> Iterator[Sentence]:
    """Sentences of `seq.in` alone."""
    for number, line in numbered_lines(find(folder, "seq.in")):
        if tokens := columns(line):
            yield Sentence(tuple(tokens), line=number)


def side_by_side(first: Path, second: Path) -> Iterator[tuple[int, str, str]]:
    """Line number and the lines of two files, which must have equally many."""
    for one, other in zip_longest(numbered_lines(first), numbered_lines(second)):
        if one is None or other is None:
            longer, shorter = (second, first) if one is None else (first, second)
            number, _ = one or other or (0, "")
            raise DataError(
                f"a line without its like in {shorter.name}, which ends after {number - 1} lines.\n"
                "  Wanted: parallel files with one line for each sentence.",
                longer,
                number,
            )
        yield one[0], one[1], other[1]


def find(folder: Path, name: str) -> Path:
    for path in candidates(folder, name):
        if path.exists():
            return path
    raise DataError(
        f"there is no {name} in this folder, wanted seq.in and seq.out (and label, if there are labels).\n"
        "  Name another folder, or a single file in one of the other formats.",
        folder,
    )


def candidates(folder: Path, name: str) -> list[Path]:
    return [folder / name, folder / f"{name}.gz"]
