"""One token a line, its columns parted by blanks or tabs; an empty line ends a sentence.

    # text = fly to Oslo
    fly   O
    to    O
    Oslo  B-city

A line that begins with `#` and a blank is a comment where it stands before the first token of a sentence, unless it
reads as a token: as many columns as the other lines have, and a tag in the tag column. So CoNLL-2000's `# # B-NP` is a
token. `#begin document` and `#end document` are comments, and lines that begin with -DOCSTART- are skipped.

Columns are parted by tabs alone (`New York<TAB>B-city`) where all lines have as many tabs and not as many blanks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from timeloom.core import DataError, UsageError
from timeloom.data.readers.text import Lines, columns, shortened
from timeloom.data.sentence import Sentence
from timeloom.data.spelling import looks_like_a_tag

COMMENT = re.compile(r"#(begin|end) document|#[ \t]+([\w.:-]+[ \t]*=([ \t]|$)|(newdoc|newpar)\b)")

Cut = Callable[[str], list[str]]
"""What takes the columns of a line apart."""

Block = list[tuple[int, list[str]]]
"""The lines between two empty ones: number and columns of each."""


def tagged_conll(
    lines: Lines, path: Path, token_column: int = 0, tag_column: int = -1, feature_columns: Sequence[int] = ()
) -> Iterator[Sentence]:
    """Sentences with tags. A line with fewer or more columns than the first is a DataError with file and line."""
    width: int | None = None
    lines = list(lines)
    for block in blocks(lines, cut_of(line for _, line in lines)):
        width = width or width_of(block)
        block = without_comments(block, width, tag_column)
        if not block:
            continue
        width = width or len(block[0][1])
        for number, fields in block:
            if len(fields) != width or not all(fields):
                raise DataError(
                    f"{len(fields)} columns, wanted {width} as in the lines before.\n"
                    f"  the line: {shortened(' '.join(fields))}\n"
                    "  Mend the line, or put an empty line where a sentence ends.",
                    path,
                    number,
                )
        check_columns(block, width, path, token_column, tag_column, feature_columns)
        tokens, tags = zip(*[(fields[token_column], fields[tag_column]) for _, fields in block], strict=True)
        yield Sentence(tokens, tags, None, block[0][0], True, features_of(block, feature_columns))


def check_columns(
    block: Block, width: int, path: Path, token_column: int, tag_column: int, feature_columns: Sequence[int]
) -> None:
    """Raise where columns are named that are not there, or one for two things."""
    wanted = (token_column, tag_column, *feature_columns)
    if width < 2 or not all(-width <= column < width for column in wanted):
        listed = "".join(f", a feature in column {column}" for column in feature_columns)
        raise DataError(
            f"{width} columns, wanted a token in column {token_column} and a tag in column {tag_column}{listed} "
            "(counted from 0; -1 is the last).\n"
            f"  the line: {shortened(' '.join(block[0][1]))}\n"
            "  Name the right columns, or read the file as untagged text.",
            path,
            block[0][0],
        )
    if token_column % width == tag_column % width:
        raise UsageError(f"column {token_column} cannot hold both the tokens and the tags")
    if token_column % width in {column % width for column in feature_columns}:
        raise DataError(
            f"{width} columns, the tokens in column {token_column}, which is among the feature columns "
            f"{list(feature_columns)}. The token itself is always read; name other columns (--feature_columns).",
            path,
            block[0][0],
        )
    if tag_column % width in {column % width for column in feature_columns}:
        raise DataError(
            f"{width} columns, the tags in column {tag_column}, which is among the feature columns "
            f"{list(feature_columns)} and cannot be a feature of what is to be found.\n"
            "  Give a file that has those features, and the tags in another column.",
            path,
            block[0][0],
        )


def untagged_conll(
    lines: Lines, name: str | Path, token_column: int, feature_columns: Sequence[int] = (), cut: Cut = columns
) -> Iterator[Sentence]:
    """Sentences of one column, and features of others. A line without one of these columns: DataError."""
    for block in blocks(lines, cut):
        block = without_comments(block, width_of(block), tag_column=None)
        if block:
            for number, fields in block:
                for column in (token_column, *feature_columns):
                    if not -len(fields) <= column < len(fields):
                        raise DataError(f"{len(fields)} columns, so there is no column {column}", name, number)
            tokens = tuple(fields[token_column] for _, fields in block)
            yield Sentence(tokens, None, None, block[0][0], True, features_of(block, feature_columns))


def features_of(block: Block, feature_columns: Sequence[int]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(fields[column] for _, fields in block) for column in feature_columns)


def cut_of(lines: Iterable[str]) -> Cut:
    """How the columns of a file's lines are parted."""
    rows = [line for line in lines if line.strip() and (not line.startswith("#") or "\t" in line)]
    rows = [line for line in rows if not line.startswith("-DOCSTART-")]
    if len({len(columns(line)) for line in rows}) == 1:
        return columns
    tabs = {line.rstrip().count("\t") for line in rows}
    return at_tabs if len(tabs) == 1 and tabs != {0} else columns


def at_tabs(line: str) -> list[str]:
    """What stands between tabs; blanks within are part of it."""
    return [field.strip(" ") for field in line.rstrip().split("\t")] if line.strip() else []


def tags_come_first(lines: Iterable[str]) -> bool:
    """Whether the lines of a file are a tag and a word, `B-city<TAB>boston`: two columns, the first all tags and most
    of the second none."""
    lines = list(lines)
    cut = cut_of(lines)
    rows = [fields for line in lines if (fields := cut(line)) and not line.startswith(("# ", "-DOCSTART-"))]
    if not rows or any(len(row) != 2 for row in rows) or all(row[0] in ("O", "o") for row in rows):
        return False
    return all(looks_like_a_tag(row[0]) for row in rows) and 2 * sum(looks_like_a_tag(row[1]) for row in rows) < len(
        rows
    )


def blocks(lines: Lines, cut: Cut = columns) -> Iterator[Block]:
    block: Block = []
    for number, line in lines:
        fields = cut(line)
        if fields and fields[0] != "-DOCSTART-":
            block.append((number, fields))
        elif block:
            yield block
            block = []
    if block:
        yield block


def width_of(block: Block) -> int | None:
    """Columns of the first line that can be nothing but a token."""
    return next((len(fields) for _, fields in block if not fields[0].startswith("#")), None)


def without_comments(block: Block, width: int | None, tag_column: int | None) -> Block:
    """The block from its first token on; a comment further down is left for the count of columns to find."""
    for position, (_, fields) in enumerate(block):
        if not is_comment(fields, width, tag_column):
            return block[position:]
    return []


def is_comment(fields: list[str], width: int | None, tag_column: int | None) -> bool:
    if COMMENT.match(" ".join(fields)):
        return True
    if fields[0] != "#" or len(fields) == 1:
        return False
    if width is not None and len(fields) != width:
        return True
    return tag_column is not None and not (
        -len(fields) <= tag_column < len(fields) and looks_like_a_tag(fields[tag_column])
    )
