"""Which format a file is in, by looking at it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from timeloom.core import DataError
from timeloom.data.readers.conll import blocks, cut_of, width_of, without_comments
from timeloom.data.readers.conllu import is_conllu
from timeloom.data.readers.jsonlines import begins_array
from timeloom.data.readers.pairs import SAMPLE, joint_of
from timeloom.data.readers.text import columns, shortened
from timeloom.data.spelling import looks_like_a_tag
from timeloom.data.tags import is_tag

COLUMN_FILES = (".conll", ".iob", ".bio", ".iob2", ".pos", ".tags")


def guess_tagged(
    lines: Sequence[tuple[int, str]], path: Path, tag_column: int = -1, scheme: str = "guess", first: bool = False
) -> str:
    """Name the format of a file with tags: "jsonlines", "lines", "conllu", "pairs" or "conll".

    jsonlines: the first line that is not empty is a JSON object, or begins an array of them. lines: some line has one
    tab, several words on its left and several tags on its right (the last may be a label), and no empty line stands
    between others. conllu: ten columns between tabs, the first a number. pairs: every word is joined to a tag by the
    same sign. conll: the first token has a second column, and in the tag column a tag; or all lines have as many
    columns, and those of the tags repeat. Errors further down are left to the format's reader.

    Args:
        tag_column, scheme: As the user said; what is not as usual makes columns likelier.
        first: Whether tags stand in the first column.
    """
    content = [(number, line) for number, line in lines if line.strip()]
    rows = [line for _, line in content[:SAMPLE]]
    if is_object(rows[0]) or begins_records(rows):
        return "jsonlines"
    if len(content) == content[-1][0] - content[0][0] + 1 and any(is_tagged_line(line) for _, line in content):
        return "lines"
    if is_conllu(rows):
        return "conllu"
    if joint_of(rows) is not None:
        return "pairs"
    number, line = content[0]
    cut = cut_of(rows)
    for block in blocks(lines, cut):
        tokens = without_comments(block, width_of(block), tag_column)
        if not tokens:
            continue
        number, fields = tokens[0]
        if len(fields) >= 2 and -len(fields) <= tag_column < len(fields) and looks_like_a_tag(fields[tag_column]):
            return "conll"
        line = " ".join(fields)
        break
    said = tag_column != -1 or scheme != "guess" or first or path.name.removesuffix(".gz").endswith(COLUMN_FILES)
    if has_plain_tags([cut(row) for row in rows if not row.startswith("# ")], tag_column, said or "\t" in rows[0]):
        return "conll"
    raise DataError(
        f"no known format fits this line: {shortened(line)}\n"
        "  tried: jsonlines (it is no JSON object), lines (no tab with as many tags behind it as words before it), "
        f"conll and conllu (no tag in column {tag_column}), pairs (no words like fly:O)\n"
        f"  {advice(rows)}",
        path,
        number,
    )


def begins_records(rows: Sequence[str]) -> bool:
    """Whether lines begin an array of objects; a sentence of CoNLL may begin with a bracket, too."""
    return begins_array(rows[0]) and (
        len(rows) == 1 or rows[0].strip() != "[" or rows[1].lstrip()[:1] in ("{", "[", "]")
    )


def has_plain_tags(rows: Sequence[Sequence[str]], tag_column: int, said: bool) -> bool:
    """Whether lines of as many columns each have, in one of these, what may be tags: fewer different ones than lines,
    unless somebody `said` that they are tags."""
    width = len(rows[0]) if rows else 0
    if width < 2 or any(len(row) != width for row in rows) or not -width <= tag_column < width:
        return False
    return said or 2 * len({row[tag_column] for row in rows}) <= len(rows)


def advice(rows: Sequence[str]) -> str:
    """What a file that is in no known format may be, and what to do."""
    first = rows[0].lstrip()
    if first.startswith(("{", "[")):
        return (
            "It looks like JSON over several lines: write each record, with its tokens and tags, on a line of its own."
        )
    if first.startswith("<"):
        return "It looks like XML: write a word and its tag on each line, and an empty line behind each sentence."
    for sign, name in ((",", "commas"), (";", "semicolons")):
        if len(rows) > 1 and {row.count(sign) for row in rows} == {max(1, rows[0].count(sign))}:
            return f"It looks like a table with {name}: put tabs in their place, and empty lines between sentences."
    widths = {len(columns(row)) for row in rows}
    if len(widths) == 1 and widths != {1}:
        return (
            f"Every line has {widths.pop()} columns: name the one with the tags (--format conll --tag_column 1); "
            "--scheme plain takes any tags."
        )
    return "Name the format (--format) and the columns, or check the file."


def guess_untagged(first_lines: list[str], name: str) -> str:
    """Name the format of text to tag, by its first lines, up to an empty one, then by its name.

    A line that begins with { or an array of objects is JSON; one with words, a tab and as many tags is "lines". Ten
    columns with tabs between them, the first a number, are "conllu". Lines of as many columns each, the last of them a
    tag, are "conll"; so is a line of single words with tabs between them, and a file with the name of one of columns.
    """
    first_line = first_lines[0] if first_lines else ""
    if first_line.lstrip().startswith("{") or (first_lines and begins_records(first_lines)):
        return "jsonlines"
    if is_tagged_line(first_line):
        return "lines"
    if name.removesuffix(".gz").endswith(".conllu") or is_conllu(first_lines):
        return "conllu"
    fields = first_line.strip().split("\t")
    single_words = len(fields) > 1 and all(len(columns(field)) == 1 for field in fields)
    named = name.removesuffix(".gz").endswith(COLUMN_FILES)
    return "conll" if single_words or named or is_table([columns(line) for line in first_lines]) else "text"


def is_table(rows: list[list[str]]) -> bool:
    """Whether rows are as long as each other and end in tags; a single one must end in more than O."""
    if len({len(row) for row in rows}) != 1 or len(rows[0]) < 2 or not all(is_tag(row[-1]) for row in rows):
        return False
    return len(rows) > 1 or rows[0][-1] != "O"


def is_object(line: str) -> bool:
    try:
        item = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(item, dict) or (isinstance(item, list) and len(item) == 2 and isinstance(item[1], dict))


def is_tagged_line(line: str) -> bool:
    sides = line.strip(" ").split("\t")
    if len(sides) != 2:
        return False
    tokens, tags = columns(sides[0]), columns(sides[1])
    return len(tokens) >= 2 and len(tags) >= 2 and all(map(is_tag, tags[:-1]))
