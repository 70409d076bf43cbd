"""Word vectors as text: a word and its numbers a line, parted by blanks, as GloVe and word2vec write them.

word2vec's first line has two whole numbers, how many vectors there are and how wide; GloVe's files have no such line. A
word may hold blanks (some of GloVe's do): the numbers are counted from the end of the line.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from timeloom.core import DataError
from timeloom.data.readers.numerals import is_number
from timeloom.data.readers.text import columns, numbered_lines, shortened


def read_vectors(path: str | Path, width: int, wanted: Callable[[str, int], bool]) -> tuple[list[str], Tensor]:
    """Words and their vectors (N, width), in the order of the file; only those that `wanted(word, place)` says yes to,
    with the place counted from 0.

    Raises DataError, with file and line, for a vector of another width and for what is not a finite number.
    """
    promised: int | None = None
    words: list[str] = []
    rows: list[list[float]] = []
    place = 0
    for number, line in numbered_lines(path):
        fields = columns(line)
        if number == 1 and len(fields) == 2 and all(map(is_count, fields)):
            promised = int(fields[0])
            if int(fields[1]) != width:
                raise another_width(int(fields[1]), width, path, number)
            continue
        if not fields:
            continue
        # One number too many would pass for a part of the word.
        if len(fields) <= width or (len(fields) > width + 1 and (place == 0 or is_number(fields[-width - 1]))):
            raise another_width(len(fields) - 1, width, path, number)
        word = " ".join(fields[:-width])
        if wanted(word, place):
            words.append(word)
            rows.append(numbers(fields[-width:], path, number))
        place += 1
    if place == 0:
        raise DataError("there are no vectors in this file", path)
    if promised not in (None, place):
        raise DataError(
            f"has {place} vectors, and its first line promises {promised}; it may have been cut short", path
        )
    return words, torch.tensor(rows, dtype=torch.float32).reshape(len(rows), width)


def is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19  # ² is a digit to Python, and no number


def numbers(fields: list[str], path: str | Path, line: int) -> list[float]:
    for place, field in enumerate(fields, start=1):
        if not (is_number(field) and abs(float(field)) < 1e38):
            what = (
                f"number {place} of {len(fields)} is {shortened(field)}, wanted a word and {len(fields)} finite numbers"
            )
            raise DataError(what, path, line)
    return [float(field) for field in fields]


def another_width(found: int, width: int, path: str | Path, line: int) -> DataError:
    if found < 1:
        return DataError(
            "not a word with its numbers, parted by blanks.\n"
            "  A binary file of word2vec's has to be written as text first.",
            path,
            line,
        )
    return DataError(
        f"a vector of {found} numbers, wanted {width} as the embedding has.\n"
        f"  Give --embedding_size {found} if the whole file is like this, or mend the line.",
        path,
        line,
    )
