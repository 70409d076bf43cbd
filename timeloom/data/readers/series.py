"""Series of vectors with labels: NumPy arrays, or a table with a row a step."""

from __future__ import annotations

import stat
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from timeloom.core import DataError
from timeloom.core.files import reason
from timeloom.data.example import Example
from timeloom.data.limits import MORE, current
from timeloom.data.readers.numerals import finite
from timeloom.data.readers.tables import rows_of
from timeloom.data.readers.text import listed, numbered_lines, shortened, whole_characters

SERIES = "series"  # the column that says which series a step belongs to


def read_npz(path: Path, labelled: bool = True) -> list[Example]:
    """Series from x (N, T, D) or (N, T), labels from y (N,), and their lengths (N,) where they differ."""
    arrays = arrays_of(path, {"x", "y", "lengths"} if labelled else {"x", "lengths"})
    for name in ["x", "y"] if labelled else ["x"]:
        if name not in arrays:
            raise DataError(f"has no array {name!r}; it has: {', '.join(arrays) or 'none'}", path)
    x = arrays["x"]
    if x.ndim == 2:
        x = x[..., None]
    if x.ndim != 3 or 0 in x.shape[1:] or x.dtype.kind not in "iuf":
        raise DataError(f"x is {x.shape} of {x.dtype}, wanted numbers (N, T, D) or (N, T)", path)
    lengths = arrays.get("lengths", np.full(len(x), x.shape[1]))
    labels = arrays["y"] if labelled else np.empty((len(x), 0), str)
    for name, array in (("lengths", lengths), ("y", labels)):
        wanted = name == "lengths" or labelled
        if wanted and array.shape != (len(x),):
            raise DataError(f"{name} is {array.shape}, wanted one for each of the {len(x)} series in x", path)
    if lengths.dtype.kind not in "iu":
        raise DataError(f"lengths are of {lengths.dtype}, wanted whole numbers", path)
    if labelled and labels.dtype.kind not in "biufUS":
        raise DataError(f"y is of {labels.dtype}, wanted texts or numbers", path)
    found = []
    for number, (series, length) in enumerate(zip(x, lengths.tolist(), strict=True)):
        if not 1 <= length <= x.shape[1]:
            raise DataError(f"the length of series {number} is {length}, wanted 1 to {x.shape[1]}", path)
        with np.errstate(over="ignore"):  # said below
            steps = series[:length].astype(np.float32)
        if not np.isfinite(steps).all():
            raise DataError(
                f"series {number} has a number that is not finite, or too large for 32 bits, in step "
                f"{first_bad(steps)}",
                path,
            )
        found.append(Example(steps, (label_in(labels[number], path, number),) if labelled else ()))
    if not found:
        raise DataError("there is nothing in it", path)
    return found


def arrays_of(path: Path, wanted: set[str]) -> dict[str, Any]:
    """The arrays of an .npz by name, as far as they are wanted, and None for the others."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise DataError("is no regular file, which arrays are read from.\n  Copy it into a file first.", path)
        with open(path, "rb") as content, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of how Python 2 wrote headers
            file = np.load(content, allow_pickle=False)
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise DataError(
                    "is one NumPy array (.npy), wanted several by name (.npz): np.savez(path, x=..., y=...)", path
                )
            with file:
                check_unpacked(file, status.st_size, path)
                return {name: file[name] if name in wanted else None for name in file.files}
    except DataError:
        raise
    except FileNotFoundError:
        raise DataError("there is no such file.\n  Check the path.", path) from None
    except OSError as error:
        raise DataError(f"cannot read the file: {reason(error)}", path) from error
    except Exception as error:  # a damaged header ends in errors of Python's own parser, and of what not
        what = str(error) or type(error).__name__
        objects = "Object arrays" in what
        advice = "\n  Save labels as texts: y.astype(str)." if objects else "\n  Save it again, or take another copy."
        raise DataError(f"is no file of NumPy arrays (.npz): {what}{advice}", path) from error


def check_unpacked(file: Any, packed: int, path: Path) -> None:
    unpacked, most = sum(part.file_size for part in file.zip.infolist()), current.get().unpacked(packed)
    if unpacked > most:
        raise DataError(f"unpacks to {unpacked / (1 << 20):.0f} MiB, more than {most / (1 << 20):.0f}.\n  {MORE}", path)


def label_in(value: Any, path: Path, number: int) -> str:
    """The label as text; NumPy has texts in bytes, too."""
    if not isinstance(value, bytes):
        return whole_characters(str(value), "y", path)
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        raise DataError(f"the label of series {number} is {value!r}, which is not UTF-8", path) from None


def first_bad(steps: Any) -> int:
    return int((~np.isfinite(steps)).any(-1).argmax())


def read_steps(path: Path, label_column: str, labelled: bool = True, encoding: str | None = None) -> list[Example]:
    """Series from a CSV table with a header: one row a step, the rows of a series one after another."""
    # A step has numbers and names; quotation marks would only hide a fault in them.
    rows = rows_of(numbered_lines(path, encoding), path, quoted=False)
    _, first = next(rows, (1, []))
    header = [name.strip() for name in first]
    for name in [SERIES, *([label_column] if labelled else [])]:
        if name not in header:
            raise DataError(f"the table has no column {name!r}; it has: {listed(header)}", path, 1)
    own = [header.index(name) for name in (SERIES, label_column) if name in header]
    values = [place for place in range(len(header)) if place not in own]
    if not values:
        raise DataError("the table has no column of numbers beside series and label", path, 1)
    collected: dict[str, tuple[int, str, list[list[float]]]] = {}
    last = None
    for line, row in rows:
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
    value = finite(text)
    if value is None:
        raise DataError(f"{shortened(text)} is not a finite number of 32 bits", path, line)
    return value
