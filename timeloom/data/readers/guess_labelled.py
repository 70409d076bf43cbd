"""Which format labelled texts or series are in, by the file's name, and where that says nothing by its first lines."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from timeloom.core import DataError
from timeloom.data.readers.guess import is_object
from timeloom.data.readers.marked import MARK
from timeloom.data.readers.tables import DELIMITERS, delimiter_of
from timeloom.data.readers.text import columns, numbered_lines, shortened
from timeloom.data.readers.ucr import is_row
from timeloom.data.tags import is_tag

NAMED = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonlines",
    ".ndjson": "jsonlines",
    ".json": "jsonlines",
    ".npz": "npz",
    ".ts": "ts",
}
FIRST = 50  # lines that are looked at
ADVICE = {
    ".arff": "Weka's format is not read; the archives have the same series as .ts.",
    ".docx": "Save the texts as a table (.csv).",
    ".h5": "Save the arrays by np.savez(path, x=..., y=...).",
    ".html": "Save the texts as a table (.csv) or in a folder for each label.",
    ".mat": "Save the arrays by np.savez(path, x=..., y=...).",
    ".md": "Texts in files of their own are read from a folder with a folder for each label.",
    ".npy": "Save the arrays together: np.savez(path, x=..., y=...).",
    ".ods": "Save the table as .csv.",
    ".parquet": "Save the table as .csv or .jsonl.",
    ".pdf": "Save the texts as a table (.csv).",
    ".pkl": "What is pickled is never read; save the table as .csv or the arrays as .npz.",
    ".tar": "Unpack it first.",
    ".xls": "Save the table as .csv.",
    ".xlsx": "Save the table as .csv.",
    ".xml": "Save the texts as a table (.csv).",
    ".zip": "Unpack it first; single files may be packed with gzip.",
}


def guess_labelled(path: Path, text_column: str, label_column: str, labelled: bool, encoding: str | None) -> str:
    """The format that a name ends in; a file of any other name has what its first lines look like, and if they look
    like nothing in particular a label at the beginning of each line.

    Raises DataError where it looks like what no format here is.
    """
    if path.is_dir():
        return "folder"
    suffix = Path(path.name.removesuffix(".gz")).suffix.lower()
    named = NAMED.get(suffix)
    if named is None and suffix in ADVICE:
        raise DataError(f"is a {suffix} file, which is not read as labelled texts or series.\n  {ADVICE[suffix]}", path)
    if named not in (None, "tsv"):
        return named
    first = [(number, line) for number, line in islice(numbered_lines(path, encoding), FIRST) if line.strip()]
    lines = [line for _, line in first]
    if lines and all(map(is_row, lines)) and not text_column.isdecimal():
        return "ucr"
    if named is not None or not lines:
        return named or "lines"
    return by_content(path, first, [text_column, *([label_column] if labelled else [])], labelled, encoding)


def by_content(path: Path, first: list[tuple[int, str]], names: list[str], labelled: bool, encoding: str | None) -> str:
    lines = [line for _, line in first]
    if any(line.lower().startswith(("@problemname", "@data", "@timestamps")) for line in lines):
        return "ts"
    if is_object(lines[0]):
        return "jsonlines"
    if any(word.startswith(MARK) for line in lines for word in columns(line)):
        return "fasttext"
    if labelled and len(names) > 1 and any(all(name in lines[0].split(sign) for name in names) for sign in DELIMITERS):
        return "tsv" if delimiter_of(path, encoding, ",", names) == "\t" else "csv"
    if labelled and looks_tagged(first):
        raise DataError(
            f"looks like tokens with their tags, one a line, as in {shortened(lines[0])}\n"
            "  `timeloom train tag` reads such files. If it is a label and a text a line, say --format lines.",
            path,
            first[0][0],
        )
    return "lines"


def looks_tagged(first: list[tuple[int, str]]) -> bool:
    """Whether nine lines of ten are some columns that end in a tag, as many in each, with empty lines between some."""
    rows = [columns(line) for _, line in first]
    last = first[-1][0]
    tagged = sum(1 < len(row) < 12 and len(row) == len(rows[-1]) and is_tag(row[-1]) for row in rows)
    return tagged >= 0.9 * len(rows) and (len(rows) < last or len({row[-1] for row in rows}) < len(rows))
