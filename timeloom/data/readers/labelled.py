"""Texts and series with labels: tables, JSON lines, lines, folders of files by class, arrays."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from timeloom.core import DataError
from timeloom.data.example import Example
from timeloom.data.limits import MORE, current
from timeloom.data.readers.guess_labelled import guess_labelled
from timeloom.data.readers.jsonlines import objects
from timeloom.data.readers.marked import first_words, marked_words
from timeloom.data.readers.opened import codec_of, opened
from timeloom.data.readers.series import read_npz, read_steps
from timeloom.data.readers.tables import read_table
from timeloom.data.readers.text import Lines, listed, numbered_lines, shortened, whole_characters
from timeloom.data.readers.ucr import read_ts, read_ucr

# What lies beside texts and is none, unless all files are of this one kind.
OTHERS = {
    ".csv",
    ".html",
    ".ini",
    ".jpg",
    ".json",
    ".jsonl",
    ".log",
    ".md",
    ".pdf",
    ".png",
    ".py",
    ".tsv",
    ".xml",
    ".yaml",
}


def read_labelled(
    path: str | Path,
    format: str = "guess",
    text_column: str = "text",
    label_column: str = "label",
    separator: str | None = None,
    *,
    labelled: bool = True,
    label_until: str | None = None,
    delimiter: str | None = None,
    encoding: str | None = None,
) -> list[Example]:
    """All examples of a file or folder.

        csv, tsv    a table with a header that names `text_column` and `label_column`; or without one, the columns
                    given as numbers from 0
        jsonlines   an object a line with these keys; the label is a string, a whole number, a list of them, or
                    spaCy's {"cats": {"A": 1.0, "B": 0.0}}
        lines       the label, a blank or a tab, the text
        fasttext    words that begin with __label__ are labels, wherever in the line they stand
        folder      a folder for each label with a text in each file
        npz         NumPy arrays: x (N, T, D), y (N,) labels, and lengths (N,) where series differ in length
        steps       a table with a row a step: columns series, `label_column`, and a number in every other one
        ts          sktime's and UEA's files of series
        ucr         a series a line: its label, then a number a step, parted by tabs, blanks or commas

    Args:
        path: The file, gzipped or not.
        format: One of the above; guess looks at the name, and where it says nothing at the first lines.
        text_column, label_column: Where text and label stand. Several columns or keys may be named, with commas
            between them: the text has a line of each.
        separator: What parts several labels of one text. None: each has one.
        labelled: Whether there are labels; without, a file of lines has nothing but texts.
        label_until: A sign; only what stands before it is the label.
        delimiter: What parts the columns of a table. None: a comma in csv and a tab in tsv, or what parts the names
            that are wanted in the header.
        encoding: Of text. None: UTF-8, or UTF-16 with its mark.

    Raises DataError, with file and line, for what cannot be read so.
    """
    path = Path(path)
    codec_of(encoding)
    found = guess_labelled(path, text_column, label_column, labelled, encoding) if format == "guess" else format
    if found == "npz":
        return read_npz(path, labelled)
    if found == "steps":
        return read_steps(path, label_column, labelled, encoding)
    if found in ("ts", "ucr"):
        series = {"ts": read_ts, "ucr": read_ucr}[found](numbered_lines(path, encoding), path, labelled)
        return filled(list(series), path)
    if found in ("csv", "tsv"):
        examples = read_table(
            path,
            found,
            text_column,
            label_column,
            labelled=labelled,
            several=separator is not None,
            delimiter=delimiter,
            encoding=encoding,
        )
    elif found == "jsonlines":
        examples = json_objects(numbered_lines(path, encoding), path, text_column, label_column, labelled)
    elif found == "fasttext":
        examples = marked_words(numbered_lines(path, encoding), path, labelled)
    elif found == "lines":
        examples = first_words(numbered_lines(path, encoding), labelled)
    else:
        examples = classes(path, encoding)
    return filled([parted_labels(within_limit(example, path), separator, label_until) for example in examples], path)


def filled(examples: list[Example], path: Path) -> list[Example]:
    if not examples:
        raise DataError("there is nothing in it", path)
    return examples


def within_limit(example: Example, path: Path) -> Example:
    most = current.get().sentence
    if isinstance(example.content, str) and len(example.content) > most:
        words = len(example.content.split())
        if words > most or len(example.content) > 20 * most:
            raise DataError(
                f"a text of {words} words and {len(example.content)} characters, more than {most:g} words or "
                f"{20 * most:g} characters.\n  Cut it, or mend the file. {MORE}",
                path,
                example.line,
            )
    return example


def json_objects(lines: Lines, path: Path, text_key: str, label_key: str, labelled: bool) -> Iterator[Example]:
    for number, line, item in objects(lines, path):
        keys = [text_key] if text_key in item else [key.strip() for key in text_key.split(",")]
        texts = []
        for key in keys:
            text = item.get(key)
            if not isinstance(text, str):
                raise DataError(
                    f'there is no text under "{key}" in {shortened(line)}\n'
                    f"  It has: {listed(list(item))}. Name the key by --text_column, several with commas.",
                    path,
                    number,
                )
            texts.append(text)
        labels = labels_of(item, label_key, line, path, number) if labelled else ()
        yield Example("\n".join(texts), labels, number)


def labels_of(item: dict[str, object], key: str, line: str, path: Path, number: int) -> tuple[str, ...]:
    """The labels under a key, or under its plural, or among spaCy's `cats`."""
    there = next((name for name in (key, f"{key}s", "cats") if name in item), None)
    if there is None:
        raise DataError(
            f'there is no "{key}" in {shortened(line)}\n'
            f"  It has: {listed(list(item))}. Name the key of the label by --label_column.",
            path,
            number,
        )
    found = item[there]
    if there == "cats" and isinstance(found, dict) and all(isinstance(one, int | float) for one in found.values()):
        return tuple(str(label) for label, chance in found.items() if chance >= 0.5)
    several = found if isinstance(found, list) else [found]
    if any(not isinstance(label, str | int) for label in several):
        what = shortened(json.dumps(found))
        raise DataError(
            f'"{there}" is {what}, wanted a label or a list of labels (or under "cats" labels with numbers)',
            path,
            number,
        )
    return tuple(str(label) for label in several)


def classes(folder: Path, encoding: str | None) -> Iterator[Example]:
    labels = sorted(part for part in folder.iterdir() if part.is_dir() and not part.name.startswith("."))
    if not labels:
        raise DataError("the folder has no folder in it; wanted one for each label, with a text in each file", folder)
    files = {label: sorted(one for one in label.iterdir() if is_text(one)) for label in labels}
    check_kinds([file for some in files.values() for file in some])
    for label, some in files.items():
        whole_characters(label.name, "the name of a folder, which is a label,", folder)
        for file in some:
            with opened(file, encoding) as stream:
                yield Example(text_of(stream.read(), file), (label.name,))


def is_text(file: Path) -> bool:
    return file.is_file() and not file.name.startswith(".")


def check_kinds(files: Sequence[Path]) -> None:
    """Refuse what lies beside texts and is none."""
    kinds = {kind_of(file) for file in files}
    strange = next((file for file in files if kind_of(file) in OTHERS), None)
    if strange is not None and len(kinds) > 1:
        count = sum(kind_of(file) == kind_of(strange) for file in files)
        raise DataError(
            f"lies in a folder of texts and seems to be none: {count} of the {len(files)} files end in "
            f"{kind_of(strange)}.\n"
            "  Move what is no text out of the folders of the labels, or give all texts one ending.",
            strange,
        )


def kind_of(file: Path) -> str:
    return Path(file.name.removesuffix(".gz")).suffix.lower()


def text_of(content: bytes, file: Path) -> str:
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise DataError(
            f"byte {content[error.start]:#04x} at offset {error.start} is not UTF-8.\n"
            "  Save the file as UTF-8, or name its encoding (--encoding).",
            file,
        ) from None


def parted_labels(example: Example, separator: str | None, until: str | None) -> Example:
    labels = example.labels
    if separator is not None and len(labels) == 1:
        labels = tuple(label for label in (part.strip() for part in labels[0].split(separator)) if label)
    if until is not None:
        labels = tuple(dict.fromkeys(label.split(until)[0].strip() or label for label in labels))
    return Example(example.content, labels, example.line)
