"""Labelled texts and series in every format, and what is wrong with some."""

from __future__ import annotations

import gzip
import io
import os
from pathlib import Path

import numpy as np
import pytest

from timeloom.core import DataError
from timeloom.data import Example, read_labelled

WANTED = [("fine, really", ("good",)), ("dull", ("bad",))]


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def pairs(examples: list[Example]) -> list[tuple[object, tuple[str, ...]]]:
    return [(example.content, example.labels) for example in examples]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", 'label,id,text\ngood,1,"fine, really"\n\nbad,2,dull\n'),
        ("a.tsv", "text\tlabel\nfine, really\tgood\ndull\tbad\n"),
        ("a.jsonl", '{"text": "fine, really", "label": "good"}\n\n{"text": "dull", "labels": ["bad"]}\n'),
        ("a.txt", "good fine, really\n\nbad\tdull\n"),
    ],
)
def test_every_format_of_lines(tmp_path: Path, name: str, content: str) -> None:
    assert pairs(read_labelled(written(tmp_path, name, content))) == WANTED
    assert pairs(read_labelled(written(tmp_path, name + ".gz", gzip.compress(content.encode())))) == WANTED


def test_a_folder_with_a_folder_for_each_label(tmp_path: Path) -> None:
    for label, text in (("good", "fine, really"), ("bad", "dull")):
        (tmp_path / label).mkdir()
        written(tmp_path / label, "1.txt", text)
    assert pairs(read_labelled(tmp_path)) == [WANTED[1], WANTED[0]]


def test_columns_by_name_by_number_and_over_several_lines(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", 'good,"fine,\nreally"\nbad,dull\n')
    found = read_labelled(path, text_column="1", label_column="0")
    assert [(e.content, e.labels, e.line) for e in found] == [("fine,\nreally", ("good",), 1), ("dull", ("bad",), 3)]
    path = written(tmp_path, "b.csv", "review,stars\nfine,5\n")
    assert pairs(read_labelled(path, text_column="review", label_column="stars")) == [("fine", ("5",))]


def test_several_labels(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "text,label\nfine,sad| funny\nodd,\n")
    assert pairs(read_labelled(path, separator="|")) == [("fine", ("sad", "funny")), ("odd", ())]
    path = written(tmp_path, "a.jsonl", '{"text": "fine", "labels": ["sad", "funny"]}\n{"text": "odd", "label": 3}\n')
    assert pairs(read_labelled(path)) == [("fine", ("sad", "funny")), ("odd", ("3",))]


def test_without_labels(tmp_path: Path) -> None:
    assert pairs(read_labelled(written(tmp_path, "a.txt", "good film\n\n"), labelled=False)) == [
        ("good film", ()),
        ("", ()),
    ]
    assert pairs(read_labelled(written(tmp_path, "a.csv", "id,text\n1,fine\n"), labelled=False)) == [("fine", ())]


@pytest.mark.parametrize(
    ("name", "content", "named"),
    [
        ("a.csv", "review,stars\nfine,5\n", r"a.csv:1: the table has no column 'text'; it has: 'review', 'stars'"),
        ("a.csv", "text,label\nfine,good\nfine\n", "a.csv:3: 1 columns, wanted 2 or more"),
        ("a.csv", 'text,label\n"fine,good\n', "a.csv:2: is no table"),
        ("a.csv", "text,label\n", "a.csv: there is nothing in it"),
        ("a.txt", "", "a.txt: there is nothing in it"),
        ("a.jsonl", '{"text": "x", "label": "y"}\n{"label": "y"}\n', 'a.jsonl:2: there is no text under "text"'),
        ("a.jsonl", '{"text": "x", "label": {"y": 1}}\n', 'a.jsonl:1: "label" is'),
        ("a.jsonl", '{"text": "x"}\n', 'a.jsonl:1: there is no "label" in '),
        ("a.txt", b"good caf\xe9\n", "a.txt:1: byte 0xe9 at offset 8 is not UTF-8"),
    ],
)
def test_what_cannot_be_read_names_file_and_line(tmp_path: Path, name: str, content: str, named: str) -> None:
    with pytest.raises(DataError, match=named):
        read_labelled(written(tmp_path, name, content))


def arrays(**named: object) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **named)  # type: ignore[arg-type]
    return buffer.getvalue()


def test_series_from_numpy(tmp_path: Path) -> None:
    x = np.arange(12.0).reshape(2, 3, 2)
    path = written(tmp_path, "a.npz", arrays(x=x, y=np.array(["up", "down"]), lengths=np.array([3, 2])))
    found = read_labelled(path)
    assert [example.labels for example in found] == [("up",), ("down",)]
    np.testing.assert_array_equal(found[1].content, x[1, :2])
    assert read_labelled(path, labelled=False)[0].labels == ()


def test_series_from_a_table_of_steps(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "series,label,x,y\na,up,1,2\na,up,3,4\nb,down,5,6\n")
    found = read_labelled(path, "steps")
    assert [(example.labels, example.line) for example in found] == [(("up",), 2), (("down",), 4)]
    np.testing.assert_array_equal(found[0].content, [[1, 2], [3, 4]])


@pytest.mark.parametrize(
    ("name", "content", "named"),
    [
        ("a.npz", b"no zip", "a.npz: is no file of NumPy arrays"),
        ("a.npz", arrays(x=np.ones((2, 3, 1))), "a.npz: has no array 'y'; it has: x"),
        ("a.npz", arrays(x=np.ones(2), y=np.ones(2)), r"a.npz: x is \(2,\)"),
        ("a.npz", arrays(x=np.ones((2, 3, 1)), y=np.ones(3)), r"y is \(3,\), wanted one for each of the 2 series"),
        ("a.npz", arrays(x=np.full((1, 3, 1), np.nan), y=np.ones(1)), "series 0 has a number that is not finite"),
        ("a.npz", arrays(x=np.ones((1, 3, 1)), y=np.ones(1), lengths=np.array([4])), "length of series 0 is 4"),
    ],
)
def test_arrays_that_are_no_series_are_named(tmp_path: Path, name: str, content: bytes, named: str) -> None:
    with pytest.raises(DataError, match=named):
        read_labelled(written(tmp_path, name, content))


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("series,x\na,1\n", "a.csv:1: the table has no column 'label'"),
        ("series,label\na,up\n", "a.csv:1: the table has no column of numbers"),
        ("series,label,x\na,up,one\n", "a.csv:2: 'one' is not a finite number"),
        ("series,label,x\na,up,1\nb,up,1\na,up,2\n", "a.csv:4: series 'a' has steps of another series between"),
        ("series,label,x\na,up,1\na,down,2\n", "a.csv:3: series 'a' has another label"),
        ("series,label,x\na,up\n", "a.csv:2: 2 columns, wanted 3"),
    ],
)
def test_tables_that_are_no_series_are_named(tmp_path: Path, content: str, named: str) -> None:
    with pytest.raises(DataError, match=named):
        read_labelled(written(tmp_path, "a.csv", content), "steps")


@pytest.mark.parametrize(
    ("name", "content", "named"),
    [
        (
            "a.jsonl",
            '{"text": "wow \\ud83d", "label": "up"}\n',
            r'a.jsonl:1: "text" holds \\ud83d, half of a character',
        ),
        ("a.jsonl", '{"text": "wow", "label": "up \\ud83d"}\n', r'a.jsonl:1: "label" holds \\ud83d'),
        ("a.jsonl", '{"text": "wow", "labels": ["\\ude00"]}\n', r'a.jsonl:1: "labels" holds \\ude00'),
        ("a.npz", arrays(x=np.ones((1, 3, 1)), y=np.array(["\ud83d"])), r"a.npz: y holds \\ud83d"),
    ],
)
def test_half_a_character_is_named(tmp_path: Path, name: str, content: str | bytes, named: str) -> None:
    """What no file can hold as UTF-8 would be lost at the end of a training."""
    with pytest.raises(DataError, match=named):
        read_labelled(written(tmp_path, name, content))


def test_whole_characters_in_escapes_are_read(tmp_path: Path) -> None:
    found = read_labelled(written(tmp_path, "a.jsonl", '{"text": "wow \\ud83d\\ude00", "label": "up"}\n'))
    assert found[0].content == "wow \U0001f600"


def test_a_folder_of_a_class_whose_name_is_not_utf8(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9")).mkdir()
    with pytest.raises(DataError, match=r"the name of a folder, which is a label, holds \\udce9"):
        read_labelled(tmp_path)
