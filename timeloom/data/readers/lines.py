"""One sentence a line, its tags behind a tab: `fly to Oslo<TAB>O O B-city`.

ATIS's own form reads too: `BOS fly to Oslo EOS<TAB>O O O B-city flight`. BOS, EOS and BOS's tag are dropped, and what
stands in the place of EOS's tag is the label. Empty lines are skipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from timeloom.core import DataError
from timeloom.data.readers.text import Lines, columns, shortened
from timeloom.data.sentence import Sentence


def tagged_lines(lines: Lines, path: Path) -> Iterator[Sentence]:
    """Sentences with tags. A line without exactly one tab, or with unequal sides: DataError with file and line."""
    for number, line in lines:
        if not line.strip():
            continue
        sides = line.strip(" ").split("\t")
        if len(sides) != 2:
            raise DataError(
                f"{len(sides) - 1} tabs, wanted one, between the tokens and the tags.\n  the line: {shortened(line)}",
                path,
                number,
            )
        tokens, tags = columns(sides[0]), columns(sides[1])
        if len(tokens) != len(tags):
            raise DataError(
                f"{len(tags)} tags, wanted {len(tokens)}, one for each token.\n  the line: {shortened(line)}",
                path,
                number,
            )
        label = None
        if tokens[:1] == ["BOS"]:
            tokens, tags = tokens[1:], tags[1:]
        if tokens[-1:] == ["EOS"]:
            tokens, tags, label = tokens[:-1], tags[:-1], tags[-1]
        if not tokens:
            raise DataError(f"no tokens, a sentence was wanted.\n  the line: {shortened(line)}", path, number)
        yield Sentence(tuple(tokens), tuple(tags), label, line=number)
