"""Series as the archives of the field have them: sktime's and UEA's .ts, and UCR's rows of numbers.

@problemName Vowels                      1<TAB>0.25<TAB>0.31<TAB>...
@classLabel true 1 2
@data
0.1,0.2,0.3:1.5,1.4,1.2:2
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from timeloom.core import DataError
from timeloom.data.example import Example
from timeloom.data.readers.numerals import finite, is_number
from timeloom.data.readers.text import Lines, shortened

BETWEEN = re.compile(r"[\t, ]+")


def read_ts(lines: Lines, path: Path, labelled: bool) -> Iterator[Example]:
    """A series a line: channels parted by colons, steps by commas, the label last."""
    header: dict[str, str] = {}
    data, width = False, 0
    for number, line in lines:
        line = line.strip()
        if not line or line.startswith(("#", "%")):
            continue
        if line.startswith("@"):
            name, _, value = line[1:].partition(" ")
            header[name.lower()] = value.strip()
            data = data or name.lower() == "data"
            continue
        if not data:
            raise DataError(f"no @data before {shortened(line)}; wanted the header of a .ts file first", path, number)
        check_header(header, path, number, labelled)
        *channels, label = line.split(":")
        if header.get("classlabel", "true").split(" ")[0].lower() != "true":
            channels, label = [*channels, label], ""
        if not channels:
            raise DataError("one part only, wanted channels and a label, parted by colons", path, number)
        width = width or len(channels)
        if len(channels) != width:
            raise DataError(f"{len(channels)} channels, wanted {width} as in the series before", path, number)
        columns = [numbers_in(channel.split(","), path, number) for channel in channels]
        if len({len(column) for column in columns}) > 1:
            lengths = ", ".join(str(len(column)) for column in columns)
            raise DataError(f"channels of {lengths} steps, wanted as many in each", path, number)
        if labelled and not label.strip():
            raise DataError("the label is empty", path, number)
        yield Example(np.array(columns, np.float32).T.copy(), (label.strip(),) if labelled else (), number)


def check_header(header: dict[str, str], path: Path, number: int, labelled: bool) -> None:
    if header.get("timestamps", "false").lower() == "true":
        raise DataError("the values have times (@timeStamps true), which are not read", path, number)
    if labelled and "targetlabel" in header:
        raise DataError("the series have target values (@targetLabel) and no classes", path, number)
    if labelled and header.get("classlabel", "true").split(" ")[0].lower() != "true":
        raise DataError("the series have no labels (@classLabel false)", path, number)


def read_ucr(lines: Lines, path: Path, labelled: bool) -> Iterator[Example]:
    """A series a line: its label, then a number a step; series may be shorter, and end in NaN or earlier."""
    for number, line in lines:
        fields = [field for field in BETWEEN.split(line.strip()) if field]
        if not fields:
            continue
        label, *steps = fields
        while steps and steps[-1].lower() == "nan":
            steps.pop()
        if not steps:
            raise DataError("no number behind the label", path, number)
        yield Example(
            np.array(numbers_in(steps, path, number), np.float32)[:, None], (label,) if labelled else (), number
        )


def numbers_in(fields: Sequence[str], path: Path, line: int) -> list[float]:
    found = []
    for place, field in enumerate(fields, start=1):
        value = finite(field)
        if value is None:
            missing = " Fill in or cut out what is missing." if field.strip().lower() in ("?", "nan", "") else ""
            raise DataError(
                f"number {place} of a series is {shortened(field)}, which is not a finite number.{missing}", path, line
            )
        found.append(value)
    return found


def is_row(line: str) -> bool:
    """Whether a line is a label and two numbers at least."""
    fields = [field for field in BETWEEN.split(line.strip()) if field]
    return len(fields) > 2 and all(map(is_number, fields))
