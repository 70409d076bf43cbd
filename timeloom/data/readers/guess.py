"""Which format a file is in, by looking at it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from timeloom.core import DataError
from timeloom.data.readers.conll import blocks, width_of, without_comments
from timeloom.data.readers.text import columns, shortened
from timeloom.data.tags import is_tag


def guess_tagged(lines: Sequence[tuple[int, str]], path: Path, tag_column: int = -1) -> str:
    """Name the format of a file with tags: "jsonlines", "lines" or "conll".

    jsonlines: the first line that is not empty is a JSON object. lines: some line has one tab, several words on its
    left and several tags on its right (the last may be a label), and no empty line stands between others. conll: the
    first token has a second column, and in the tag column a tag. Errors further down are left to the format's reader.
    """
    content = [(number, line) for number, line in lines if line.strip()]
    if is_object(content[0][1]):
        return "jsonlines"
    if len(content) == content[-1][0] - content[0][0] + 1 and any(is_tagged_line(line) for _, line in content):
        return "lines"
    number, line = content[0]
    for block in blocks(lines):
        tokens = without_comments(block, width_of(block), tag_column)
        if not tokens:
            continue
        number, fields = tokens[0]
        if len(fields) >= 2 and -len(fields) <= tag_column < len(fields) and is_tag(fields[tag_column]):
            return "conll"
        line = " ".join(fields)
        break
    raise DataError(
        f"no known format fits this line: {shortened(line)}\n"
        "  tried: jsonlines (it is no JSON object), lines (no tab with as many tags behind it as words before it), "
        f"conll (no tag in column {tag_column})\n"
        "  Name the format and the columns, or check the file.",
        path,
        number,
    )


def guess_untagged(first_lines: list[str], name: str) -> str:
    """Name the format of text to tag, by its first lines, up to an empty one, then by its name.

    A line that begins with { is JSON; one with words, a tab and as many tags is "lines". Lines of as many columns each,
    the last of them a tag, are "conll"; so is a line of single words with tabs between them, and a file named .conll,
    .iob or .bio (or one of these and .gz).
    """
    first_line = first_lines[0] if first_lines else ""
    if first_line.lstrip().startswith("{"):
        return "jsonlines"
    if is_tagged_line(first_line):
        return "lines"
    fields = first_line.strip().split("\t")
    single_words = len(fields) > 1 and all(len(columns(field)) == 1 for field in fields)
    named = name.removesuffix(".gz").endswith((".conll", ".iob", ".bio"))
    return "conll" if single_words or named or is_table([columns(line) for line in first_lines]) else "text"


def is_table(rows: list[list[str]]) -> bool:
    """Whether rows are as long as each other and end in tags; a single one must end in more than O."""
    if len({len(row) for row in rows}) != 1 or len(rows[0]) < 2 or not all(is_tag(row[-1]) for row in rows):
        return False
    return len(rows) > 1 or rows[0][-1] != "O"


def is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def is_tagged_line(line: str) -> bool:
    sides = line.strip(" ").split("\t")
    if len(sides) != 2:
        return False
    tokens, tags = columns(sides[0]), columns(sides[1])
    return len(tokens) >= 2 and len(tags) >= 2 and all(map(is_tag, tags[:-1]))
