"""Series of vectors with labels: NumPy arrays, or a table with a row a step."""

from __future__ import annotations

import csv
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from timeloom.core import DataError
from timeloom.core.files import reason
from timeloom.data.example import Example
from timeloom.data.readers.text import numbered_lines, shortened, whole_characters

SERIES = "series"  # the column that says which series a step belongs to


def read_npz(path: Path, labelled: bool = True) -> list[Example]:
    """Series from x (N, T, D) or (N, T), labels from y (N,), and their lengths (N,) where they differ."""
    try:
        file = np.load(path, allow_pickle=False)
        if not isinstance(file, np.lib.npyio.NpzFile):
            raise DataError(
                "is one NumPy array (.npy), wanted several by name (.npz): np.savez(path, x=..., y=...)", path
            )
        with file:
            arrays: dict[str, Any] = {name: file[name] for name in file.files}
    except FileNotFoundError:
        raise DataError("there is no such file.\n  Check the path.", path) from None
    except OSError as error:
        raise DataError(f"cannot read the file: {reason(error)}", path) from error
    except (ValueError, zipfile.BadZipFile, EOFError, KeyError) as error:
        raise DataError(f"is no file of NumPy arrays (.npz): {error}", path) from error
    for name in ["x", "y"] if labelled else ["x"]:
        if name not in arrays:
            raise DataError(f"has no array {name!r}; it has: {', '.join(arrays) or 'none'}", path)
    x = arrays["x"]
    if x.ndim == 2:
        x = x[..., None]
    if (
        x.ndim != 3
        or 0 in x.shape[1:]
        or not np.issubdtype(x.dtype, np.number)
        or np.issubdtype(x.dtype, np.complexfloating)
    ):
        raise DataError(f"x is {x.shape} of {x.dtype}, wanted numbers (N, T, D) or (N, T)", path)
    lengths = arrays.get("lengths", np.full(len(x), x.shape[1]))
    labels = arrays["y"] if labelled else np.empty((len(x), 0), str)
    for name, array in (("lengths", lengths), ("y", labels)):
        wanted = name == "lengths" or labelled
        if wanted and array.shape != (len(x),):
            raise DataError(f"{name} is {array.shape}, wanted one for each of the {len(x)} series in x", path)
    if not np.issubdtype(lengths.dtype, np.integer):
        raise DataError(f"lengths are of {lengths.dtype}, wanted whole numbers", path)
    found = []
    for number, (series, length) in enumerate(zip(x, lengths.tolist(), strict=True)):
        if not 1 <= length <= x.shape[1]:
            raise DataError(f"the length of series {number} is {length}, wanted 1 to {x.shape[1]}", path)
        steps = series[:length].astype(np.float32)
        if not np.isfinite(steps).all():
            raise DataError(f"series {number} has a number that is not finite, in step {first_bad(steps)}", path)
        found.append(Example(steps, (whole_characters(str(labels[number]), "y", path),) if labelled else ()))
    if not found:
        raise DataError("there is nothing in it", path)
    return found


def first_bad(steps: Any) -> int:
    return int((~np.isfinite(steps)).any(-1).argmax())


def read_steps(path: Path, label_column: str, labelled: bool = True) -> list[Example]:
    """Series from a CSV table with a header: one row a step, the rows of a series one after another."""
    # A step has numbers and names; quotation marks would only hide a fault in them.
    rows = csv.reader((line + "\n" for _, line in numbered_lines(path)), quoting=csv.QUOTE_NONE)
    header = [name.strip() for name in next(rows, [])]
    for name in [SERIES, *([label_column] if labelled else [])]:
        if name not in header:
            raise DataError(f"the table has no column {name!r}; it has: {', '.join(header)}", path, 1)
    own = [header.index(name) for name in (SERIES, label_column) if name in header]
    values = [place for place in range(len(header)) if place not in own]
    if not values:
        raise DataError("the table has no column of numbers beside series and label", path, 1)
    collected: dict[str, tuple[int, str, list[list[float]]]] = {}
    last = None
    for row in rows:
        if not row:
            continue
        line = rows.line_num
        if len(row) != len(header):
            raise DataError(f"{len(row)} columns, wanted {len(header)}", path, line)
        name, label = row[own[0]].strip(), row[own[-1]].strip() if labelled else ""
        if labelled and not label:
            raise DataError("the label is empty", path, line)
        if name in collected and (name != last or collected[name][1] != label):
            what = "another label" if name == last else "steps of another series between its own"
            raise DataError(f"series {name!r} has {what}", path, line)
        _, _, steps = collected.setdefault(name, (line, label, []))
        steps.append([number_in(row[place], path, line) for place in values])
        last = name
    if not collected:
        raise DataError("there is nothing in it", path)
    return [
        Example(np.array(steps, np.float32), (label,) if labelled else (), line)
        for line, label, steps in collected.values()
    ]


def number_in(text: str, path: Path, line: int) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not np.isfinite(value):
        raise DataError(f"{shortened(text)} is not a finite number", path, line)
    return value
