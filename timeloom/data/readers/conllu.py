"""CoNLL-U, the format of Universal Dependencies: ten columns parted by tabs, for words with the numbers 1, 2, 3, ...

    # text = vámonos ya
    1-2  vámonos  _     _      _  _  _  _  _  SpaceAfter=No
    1    vamos    ir    VERB   ...
    2    nos      nosotros PRON ...

Words are the column FORM (1), tags the column UPOS (3) unless another is named: 4 XPOS, 5 FEATS, 7 DEPREL. Rows of
several words (`1-2`) and of words that are not written (`2.1`) are no tokens. SpaceAfter=No says where no blank stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from timeloom.core import DataError
from timeloom.data.readers.text import Lines, shortened
from timeloom.data.sentence import Sentence

FORM, UPOS, MISC, WIDTH = 1, 3, 9, 10
NUMBER = re.compile(r"\d+([-.]\d+)?$")


class Row(NamedTuple):
    line: int
    fields: list[str]


def conllu(
    lines: Lines, path: Path | str, token_column: int, tag_column: int | None, feature_columns: Sequence[int]
) -> Iterator[Sentence]:
    """Sentences, with tags unless `tag_column` is None. The columns 0 and -1, which hold no tokens and tags here, are
    those of a form and its part of speech."""
    tokens = token_column or FORM
    tags = UPOS if tag_column == -1 else tag_column
    if wrong := next((c for c in (tokens, tags or 0, *feature_columns) if not -WIDTH <= c < WIDTH), None):
        raise DataError(f"{WIDTH} columns, as CoNLL-U has, so there is no column {wrong}", path)
    for rows in sentences(lines, path):
        words = [row for row in rows if row.fields[0].isdigit()]
        if not words:
            continue
        text, offsets = written(rows, tokens)
        yield Sentence(
            tuple(row.fields[tokens] for row in words),
            None if tags is None else tuple(row.fields[tags] for row in words),
            line=words[0].line,
            features=tuple(tuple(row.fields[column] for row in words) for column in feature_columns),
            text=text,
            offsets=offsets,
        )


def sentences(lines: Lines, path: Path | str) -> Iterator[list[Row]]:
    rows: list[Row] = []
    for number, line in lines:
        if not line.strip():
            if rows:
                yield rows
            rows = []
        elif not (line.startswith("#") and not rows):
            fields = [field.strip(" ") for field in line.split("\t")]
            if len(fields) != WIDTH or not NUMBER.match(fields[0]) or not all(fields):
                raise DataError(
                    f"no line of CoNLL-U: wanted {WIDTH} columns parted by tabs, the first a number, none empty.\n"
                    f"  the line: {shortened(line)}\n  For other columns, name the format (--format conll).",
                    path,
                    number,
                )
            rows.append(Row(number, fields))
    if rows:
        yield rows


def written(rows: list[Row], tokens: int) -> tuple[str, tuple[tuple[int, int], ...]]:
    """The text of a sentence, and where in it each word stands; words written as one all stand where that does."""
    text, offsets, covered = "", [], 0
    place = (0, 0)
    for row in rows:
        number, span, last = row.fields[0].partition("-")
        if not number.isdigit():  # 2.1, which nobody wrote
            continue
        if span or int(number) > covered:
            place = (len(text), len(text) + len(row.fields[tokens]))
            text += row.fields[tokens]
            text += "" if "SpaceAfter=No" in row.fields[MISC].split("|") else " "
        if span:
            covered = int(last)
        else:
            offsets.append(place)
    return text.rstrip(" "), tuple(offsets)


def is_conllu(rows: Sequence[str]) -> bool:
    """Whether the lines of a file that are not empty are of this format."""
    words = [line.split("\t") for line in rows if not line.startswith("#")]
    return bool(words) and all(len(fields) == WIDTH and NUMBER.match(fields[0].strip(" ")) for fields in words)
