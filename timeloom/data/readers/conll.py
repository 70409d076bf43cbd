"""One token a line, its columns parted by blanks; an empty line ends a sentence.

    # text = fly to Oslo
    fly   O
    to    O
    Oslo  B-city

A line that begins with `#` and a blank is a comment where it stands before the first token of a sentence, unless it
reads as a token: as many columns as the other lines have, and a tag in the tag column. So CoNLL-2000's `# # B-NP` is a
token. `#begin document` and `#end document` are comments, and lines that begin with -DOCSTART- are skipped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from timeloom.core import DataError, UsageError
from timeloom.data.readers.text import Lines, columns, shortened
from timeloom.data.sentence import Sentence
from timeloom.data.tags import is_tag

COMMENT = re.compile(r"#(begin|end) document|#[ \t]+([\w.:-]+[ \t]*=([ \t]|$)|(newdoc|newpar)\b)")

Block = list[tuple[int, list[str]]]
"""The lines between two empty ones: number and columns of each."""


def tagged_conll(
    lines: Lines, path: Path, token_column: int = 0, tag_column: int = -1, feature_columns: Sequence[int] = ()
) -> Iterator[Sentence]:
    """Sentences with tags. A line with fewer or more columns than the first is a DataError with file and line."""
    width: int | None = None
    for block in blocks(lines):
        width = width or width_of(block)
        block = without_comments(block, width, tag_column)
        if not block:
            continue
        width = width or len(block[0][1])
        for number, fields in block:
            if len(fields) != width:
                raise DataError(
                    f"{len(fields)} columns, wanted {width} as in the lines before.\n"
                    f"  the line: {shortened(' '.join(fields))}\n"
                    "  Mend the line, or put an empty line where a sentence ends.",
                    path,
                    number,
                )
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
        tokens, tags = zip(*[(fields[token_column], fields[tag_column]) for _, fields in block], strict=True)
        yield Sentence(tokens, tags, None, block[0][0], True, features_of(block, feature_columns))


def untagged_conll(
    lines: Lines, name: str | Path, token_column: int, feature_columns: Sequence[int] = ()
) -> Iterator[Sentence]:
    """Sentences of one column, and features of others. A line without one of these columns: DataError."""
    for block in blocks(lines):
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


def blocks(lines: Lines) -> Iterator[Block]:
    block: Block = []
    for number, line in lines:
        fields = columns(line)
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
    return tag_column is not None and not (-len(fields) <= tag_column < len(fields) and is_tag(fields[tag_column]))
