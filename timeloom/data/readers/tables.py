"""Tables: their rows, with the lines that these begin on, and the texts and labels in their columns."""

from __future__ import annotations

import csv
import difflib
from collections.abc import Iterator, Sequence
from pathlib import Path

from timeloom.core import DataError
from timeloom.data.example import Example
from timeloom.data.limits import MORE, current
from timeloom.data.readers.numerals import is_number
from timeloom.data.readers.text import Lines, listed, numbered_lines

Row = tuple[int, list[str]]
"""The line that a row begins on, and its fields."""
DELIMITERS = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar"}


def rows_of(lines: Lines, path: Path, delimiter: str = ",", quoted: bool = True) -> Iterator[Row]:
    """The rows of a table that are not empty. Raises DataError for what is no table."""
    csv.field_size_limit(int(min(current.get().line, (1 << 31) - 1)))
    quoting = csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
    rows = csv.reader((line + "\n" for _, line in lines), delimiter=delimiter, quoting=quoting, strict=True)
    begin = 1
    try:
        for row in rows:
            if row:
                yield begin, row
            begin = rows.line_num + 1
    except csv.Error as error:
        raise DataError(f"is no table: {why(str(error), begin)}", path, max(begin, rows.line_num)) from error


def why(message: str, begin: int) -> str:
    if "unexpected end" in message:
        return f"a quotation mark opens in the row that begins in line {begin}, and does not close"
    if "field larger" in message:
        return (
            f"a field of the row that begins in line {begin} has more than {current.get().line:g} characters.\n  {MORE}"
        )
    if "new-line" in message:
        return "a CR stands inside a line. End all lines with LF or CRLF"
    return message


def read_table(
    path: Path,
    kind: str,
    text_column: str,
    label_column: str,
    *,
    labelled: bool,
    several: bool,
    delimiter: str | None,
    encoding: str | None,
) -> Iterator[Example]:
    """Texts and labels of a csv or tsv. A text of several columns has a line of each."""
    # In tables with tabs quotation marks are what they are, unless a csv with tabs is asked for.
    usual, quoted = (",", True) if kind == "csv" else ("\t", False)
    names = [text_column, *([label_column] if labelled else [])]
    headless = all(part.strip().isdecimal() for name in names for part in name.split(","))
    if delimiter is None:
        delimiter = usual if headless else delimiter_of(path, encoding, usual, names)
    rows = rows_of(numbered_lines(path, encoding), path, delimiter, quoted)
    columns: list[list[int]] = []
    if headless:
        columns = [[int(part) for part in name.split(",")] for name in names]
    for line, row in rows:
        if not columns:
            columns = [places_of(name, row, path, delimiter) for name in names]
            continue
        yield example_of_row(row, columns, path, line, several)


def delimiter_of(path: Path, encoding: str | None, usual: str, names: Sequence[str]) -> str:
    """What parts the names in the header, if all that are wanted are there with it; else the usual."""
    _, header = next(iter(numbered_lines(path, encoding)), (1, ""))
    for delimiter in dict.fromkeys([usual, *DELIMITERS]):
        there = [name.strip().strip('"') for name in header.split(delimiter)]
        if len(there) > 1 and all(name in there or set(name.split(",")) <= set(there) for name in names):
            return delimiter
    return usual


def places_of(name: str, header: Sequence[str], path: Path, delimiter: str) -> list[int]:
    """Where a column stands, or several whose names have commas between them."""
    stripped = [title.strip() for title in header]
    if name in stripped:
        return [stripped.index(name)]
    parts = [part.strip() for part in name.split(",")]
    missing = [part for part in parts if part not in stripped]
    if not missing:
        return [stripped.index(part) for part in parts]
    raise DataError(
        f"the table has no column {missing[0]!r}; it has: {listed(stripped)}.\n"
        f"  {advice(missing[0], stripped, delimiter)}",
        path,
        1,
    )


def advice(missing: str, header: Sequence[str], delimiter: str) -> str:
    """Which option would help."""
    if len(header) == 1:
        other = next((sign for sign in DELIMITERS if sign != delimiter and sign in header[0]), None)
        if other is not None:
            return f"Its only name holds {DELIMITERS[other]}: try --delimiter {shell(other)}."
    if len(header) > 2 and all(map(is_number, header)):
        return "Series with their label first and a number a step are read by --format ucr."
    if "series" in header:
        return "Series of steps are read by --format steps."
    near = difflib.get_close_matches(missing, header, n=1)
    meant = f"Did you mean {near[0]!r}? " if near else ""
    return (
        f"{meant}Name the columns by --text_column and --label_column (several texts with commas, as in subject,body), "
        "by numbers from 0 where there is no header."
    )


def shell(delimiter: str) -> str:
    return r"$'\t'" if delimiter == "\t" else f"'{delimiter}'"


def example_of_row(
    row: Sequence[str], columns: Sequence[Sequence[int]], path: Path, line: int, several: bool
) -> Example:
    wanted = 1 + max(place for places in columns for place in places)
    if wanted > len(row):
        hint = ""
        if any(field.count('"') % 2 for field in row):
            hint = (
                "\n  Quoted texts over several lines are read by --format csv, with --delimiter where it is no comma."
            )
        raise DataError(f"{len(row)} columns, wanted {wanted} or more{hint}", path, line)
    text, *labels = ("\n".join(row[place] for place in places) for places in columns)
    found = tuple(label.strip() for label in labels)
    if "" in found and not several:
        raise DataError(
            "the label is empty.\n  Fill it in, or give --label_separator where a text may have none.", path, line
        )
    return Example(text, found, line)
