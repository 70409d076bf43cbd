"""Lines of text with their labels: first in the line, or marked by __label__ as fastText has them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from timeloom.core import DataError
from timeloom.data.example import Example
from timeloom.data.readers.text import Lines, shortened

MARK = "__label__"


def first_words(lines: Lines, labelled: bool) -> Iterator[Example]:
    """The label, a blank or a tab, the text; without labels all of the line is text."""
    for number, line in lines:
        if not labelled:
            yield Example(line, (), number)
        elif line.strip():
            label, *rest = line.strip().split(None, 1)
            yield Example(rest[0] if rest else "", (label,), number)


def marked_words(lines: Lines, path: Path, labelled: bool) -> Iterator[Example]:
    """Words that begin with __label__ are labels, wherever they stand; what is left is the text."""
    for number, line in lines:
        if not line.strip():
            continue
        words = line.replace("\t", " ").split(" ")
        labels = tuple(word.removeprefix(MARK) for word in words if word.startswith(MARK))
        if labelled and not labels:
            raise DataError(
                f"no word begins with {MARK} in {shortened(line)}\n"
                "  Wanted a label in every line, as fastText has them; --format lines takes the first word.",
                path,
                number,
            )
        text = " ".join(word for word in words if not word.startswith(MARK)).strip()
        yield Example(text, labels if labelled else (), number)
