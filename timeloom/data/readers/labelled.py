"""Texts with labels: tables, JSON lines, lines that begin with their label, folders of files by class."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from timeloom.core import DataError
from timeloom.data.example import Example
from timeloom.data.readers.jsonlines import objects
from timeloom.data.readers.pieces import pieces
from timeloom.data.readers.series import read_npz, read_steps
from timeloom.data.readers.text import Lines, numbered_lines, shortened, whole_characters

LONGEST = 1 << 30  # characters of a field in a table


def read_labelled(
    path: str | Path,
    format: str = "guess",
    text_column: str = "text",
    label_column: str = "label",
    separator: str | None = None,
    *,
    labelled: bool = True,
) -> list[Example]:
    """All examples of a file or folder.

        csv, tsv    a table with a header that names `text_column` and `label_column`; or without one, the columns
                    given as numbers from 0
        jsonlines   an object a line with these keys; the label is a string, a whole number, or a list of them
        lines       the label, a blank or a tab, the text
        folder      a folder for each label with a text in each file
        npz         NumPy arrays: x (N, T, D), y (N,) labels, and lengths (N,) where series differ in length
        steps       a table with a row a step: columns series, `label_column`, and a number in every other one

    Args:
        path: The file, gzipped or not.
        format: One of the above; guess looks at the name.
        text_column, label_column: Where text and label stand.
        separator: What parts several labels of one text. None: each has one.
        labelled: Whether there are labels; without, a file of lines has nothing but texts.

    Raises DataError, with file and line, for what cannot be read so.
    """
    path = Path(path)
    found = guess(path) if format == "guess" else format
    match found:
        case "csv" | "tsv":
            examples = table(
                path, "," if found == "csv" else "\t", text_column, label_column, labelled, separator is not None
            )
        case "jsonlines":
            examples = json_objects(numbered_lines(path), path, text_column, label_column, labelled)
        case "lines":
            examples = first_words(numbered_lines(path), path, labelled)
        case "folder":
            examples = classes(path)
        case "npz":
            return read_npz(path, labelled)
        case _:
            return read_steps(path, label_column, labelled)
    parted = [parted_labels(example, separator) for example in examples]
    if not parted:
        raise DataError("there is nothing in it", path)
    return parted


def guess(path: Path) -> str:
    """The format that a name ends in; a file of any other name has a label at the beginning of each line."""
    if path.is_dir():
        return "folder"
    ends = {".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonlines", ".json": "jsonlines", ".npz": "npz"}
    return ends.get(Path(path.name.removesuffix(".gz")).suffix, "lines")


def table(
    path: Path, delimiter: str, text_column: str, label_column: str, labelled: bool, several: bool
) -> Iterator[Example]:
    # In tables with tabs quotation marks are what they are.
    quoting = csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL
    lines = (line + "\n" for _, line in numbered_lines(path))
    csv.field_size_limit(LONGEST)
    rows = csv.reader(lines, delimiter=delimiter, quoting=quoting, strict=True)
    try:
        first = next(rows, None)
        if first is None:
            return
        names = [text_column, *([label_column] if labelled else [])]
        headless = all(name.isdecimal() for name in names)
        places = [int(name) for name in names] if headless else places_of(names, first, path)
        for row in [first] if headless else []:
            yield example_of_row(row, places, path, 1, several)
        line = rows.line_num
        for row in rows:
            if row:
                yield example_of_row(row, places, path, line + 1, several)
            line = rows.line_num
    except csv.Error as error:
        raise DataError(f"is no table: {error}", path, rows.line_num) from error


def places_of(names: Sequence[str], header: Sequence[str], path: Path) -> list[int]:
    stripped = [name.strip() for name in header]
    for name in names:
        if name not in stripped:
            series = " Series of steps are read by --format steps." if "series" in stripped else ""
            raise DataError(
                f"the table has no column {name!r}; it has: {', '.join(map(repr, stripped))}.\n"
                "  Name the columns by --text_column and --label_column, by numbers from 0 where there is no header."
                f"{series}",
                path,
                1,
            )
    return [stripped.index(name) for name in names]


def example_of_row(row: Sequence[str], places: Sequence[int], path: Path, line: int, several: bool) -> Example:
    if max(places) >= len(row):
        raise DataError(f"{len(row)} columns, wanted {max(places) + 1} or more", path, line)
    text, *labels = (row[place] for place in places)
    found = tuple(label.strip() for label in labels)
    if "" in found and not several:
        raise DataError("the label is empty", path, line)
    return Example(text, found, line)


def json_objects(lines: Lines, path: Path, text_key: str, label_key: str, labelled: bool) -> Iterator[Example]:
    for number, line, item in objects(lines, path):
        text = item.get(text_key)
        if not isinstance(text, str):
            raise DataError(f'there is no text under "{text_key}" in {shortened(line)}', path, number)
        labels: tuple[str, ...] = ()
        if labelled:
            found = item.get(label_key, item.get(f"{label_key}s"))
            several = found if isinstance(found, list) else [found]
            if any(not isinstance(label, str | int) for label in several):
                what = shortened(json.dumps(found))
                raise DataError(f'"{label_key}" is {what}, wanted a label or a list of labels', path, number)
            labels = tuple(whole_characters(str(label), f'"{label_key}"', path, number) for label in several)
        yield Example(whole_characters(text, f'"{text_key}"', path, number), labels, number)


def first_words(lines: Lines, path: Path, labelled: bool) -> Iterator[Example]:
    for number, line in lines:
        if not labelled:
            yield Example(line, (), number)
        elif line.strip():
            label, *rest = line.strip().split(None, 1)
            yield Example(rest[0] if rest else "", (label,), number)


def classes(folder: Path) -> Iterator[Example]:
    labels = sorted(part for part in folder.iterdir() if part.is_dir() and not part.name.startswith("."))
    if not labels:
        raise DataError("the folder has no folder in it; wanted one for each label, with a text in each file", folder)
    for label in labels:
        whole_characters(label.name, "the name of a folder, which is a label,", folder)
        for file in sorted(part for part in label.iterdir() if part.is_file() and not part.name.startswith(".")):
            yield Example("".join(pieces(file)), (label.name,))


def parted_labels(example: Example, separator: str | None) -> Example:
    if separator is None or len(example.labels) != 1:
        return example
    parts = (label.strip() for label in example.labels[0].split(separator))
    return Example(example.content, tuple(label for label in parts if label), example.line)
