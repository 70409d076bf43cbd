"""One sentence a line, each word joined to its tag: `fly:O to:O Oslo:B-city`, `The/DT dog/NN barks/VBZ`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from timeloom.core import DataError
from timeloom.data.readers.text import columns, shortened
from timeloom.data.sentence import Sentence

JOINTS = "/:|"


def joint_of(lines: Sequence[str]) -> str | None:
    """What joins each word of the lines to its tag; None where nothing joins them all."""
    pieces = [columns(line) for line in lines if line.strip()]
    if not pieces or max(map(len, pieces)) < 2:
        return None
    return next((j for j in JOINTS if all(all(parted(piece, j)) for row in pieces for piece in row)), None)


def parted(piece: str, joint: str) -> tuple[str, str]:
    word, _, tag = piece.rpartition(joint)
    return word, tag


def pairs(lines: Sequence[tuple[int, str]], path: Path | str, *, tagged: bool = True) -> Iterator[Sentence]:
    """Sentences with their tags, or without. A piece that has no joint is a DataError with file and line."""
    joint = joint_of([line for _, line in lines[:SAMPLE]]) or "/"
    for number, line in lines:
        found = [parted(piece, joint) for piece in columns(line)]
        if wrong := next((both for both in found if not all(both)), None):
            raise DataError(
                f"{shortened(''.join(wrong))} is not a word, {joint} and a tag, as {joint} joins them in this file.\n"
                f"  the line: {shortened(line)}",
                path,
                number,
            )
        if found:
            tokens, tags = zip(*found, strict=True)
            yield Sentence(tokens, tags if tagged else None, line=number)


SAMPLE = 200
"""By how many lines a format is guessed."""
