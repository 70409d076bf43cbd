"""Labelled files as the field has them: delimiters, encodings, marks, archives; what is none of them is said."""

from __future__ import annotations

import gzip
import os
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from timeloom.core import DataError, UsageError
from timeloom.data import Limits, no_limits, read_labelled, read_tagged, read_vectors
from timeloom.data.limits import current
from timeloom.tasks.classify import LabelledFile
from timeloom.tasks.classify.odd import notes_on_labels


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read(path: Path, **more: object) -> list[tuple[object, tuple[str, ...]]]:
    return [(one.content, one.labels) for one in LabelledFile(**more).read(path)]  # type: ignore[arg-type]


TABLE = 'text;label\n"schön; warm";gut\nkalt;schlecht\n'
GERMAN = [("schön; warm", ("gut",)), ("kalt", ("schlecht",))]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_semicolons_marks_and_ends_of_lines(tmp_path: Path, encoding: str, end: str) -> None:
    content = TABLE.replace("\n", end).encode(encoding)
    assert read(written(tmp_path, "a.csv", content)) == GERMAN
    assert read(written(tmp_path, "a.csv.gz", gzip.compress(content))) == GERMAN


def test_an_encoding_that_is_named(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", TABLE.encode("cp1252"))
    assert read(path, encoding="cp1252") == GERMAN
    with pytest.raises(DataError, match=r"a.csv:2: byte 0xf6 .* is not UTF-8.\n.*--encoding"):
        read(path)
    with pytest.raises(DataError, match="is not ascii"):
        read(path, encoding="ascii")
    with pytest.raises(UsageError, match="encoding is 'klingon'"):
        read(path, encoding="klingon")
    with pytest.raises(UsageError, match="encoding is 'zip'"):
        read(path, encoding="zip")


def test_another_delimiter(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "wort#art\ngut#x\n")
    assert read(path, delimiter="#", text_column="wort", label_column="art") == [("gut", ("x",))]
    with pytest.raises(DataError, match=r"no column 'text'; it has: 'wort;art'.\n.* try --delimiter ';'"):
        read(written(tmp_path, "b.csv", "wort;art\ngut;x\n"))
    with pytest.raises(UsageError, match="delimiter is ';;', wanted one sign"):
        LabelledFile(delimiter=";;")


def test_two_columns_of_text(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "subject,body,label\nHi,there,spam\n")
    assert read(path, text_column="subject,body") == [("Hi\nthere", ("spam",))]
    path = written(tmp_path, "b.csv", "Hi,there,spam\n")
    assert read(path, text_column="0,1", label_column="2") == [("Hi\nthere", ("spam",))]
    path = written(tmp_path, "a.jsonl", '{"subject": "Hi", "body": "there", "label": "spam"}\n')
    assert read(path, text_column="subject,body") == [("Hi\nthere", ("spam",))]


def test_many_columns_are_not_all_listed(tmp_path: Path) -> None:
    header = ",".join(f"column{n}" for n in range(252))
    with pytest.raises(DataError, match="and 240 more") as caught:
        read(written(tmp_path, "a.csv", header + "\n"))
    assert len(str(caught.value)) < 700


def test_labels_cut_at_a_sign(tmp_path: Path) -> None:
    path = written(tmp_path, "a.txt", "NUM:dist How far?\nHUM How : who?\n")
    assert read(path, label_until=":") == [("How far?", ("NUM",)), ("How : who?", ("HUM",))]


def test_categories_as_spacy_has_them(tmp_path: Path) -> None:
    path = written(
        tmp_path, "a.jsonl", '{"text": "x", "cats": {"A": 1.0, "B": 0.0}}\n{"text": "y", "cats": {"B": true}}\n'
    )
    assert read(path) == [("x", ("A",)), ("y", ("B",))]
    with pytest.raises(DataError, match=r"there is no \"label\" in .*\n  It has: 'text', 'class'. .*--label_column"):
        read(written(tmp_path, "b.jsonl", '{"text": "x", "class": "A"}\n'))


def test_fasttext_marks_anywhere_in_the_line(tmp_path: Path) -> None:
    path = written(tmp_path, "a.txt", "fine film __label__good\n__label__bad\tdull\n__label__a __label__b both\n")
    assert read(path) == [("fine film", ("good",)), ("dull", ("bad",)), ("both", ("a", "b"))]
    with pytest.raises(DataError, match=r"b.txt:2: no word begins with __label__"):
        read(written(tmp_path, "b.txt", "fine __label__good\ndull\n"))


def test_series_of_the_archives(tmp_path: Path) -> None:
    path = written(tmp_path, "a.ts", "#c\n@problemName P\n@classLabel true 1 2\n@data\n1,2,3:4,5,6:b\n7,8:9,1:a\n")
    first, second = read_labelled(path)
    np.testing.assert_array_equal(first.content, np.array([[1, 4], [2, 5], [3, 6]], np.float32))
    assert (first.labels, second.labels, np.shape(second.content)) == (("b",), ("a",), (2, 2))
    unknown = written(tmp_path, "b.txt", path.read_bytes())
    assert read_labelled(unknown)[0].labels == ("b",)
    for name, content in (
        ("c.tsv", "1\t.5\t.25\n2\t.5\tNaN\n"),
        ("d.txt", "  1  .5 .25\n  2  .5\n"),
        ("e", "1,.5,.25\n2,.5,NaN\n"),
    ):
        first, second = read_labelled(written(tmp_path, name, content), "guess" if name != "d.txt" else "ucr")
        np.testing.assert_array_equal(first.content, np.array([[0.5], [0.25]], np.float32))
        assert (first.labels, second.labels, np.shape(second.content)) == (("1",), ("2",), (1, 1))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("@data\n1,?:a\n", r"number 2 of a series is '\?'.* Fill in"),
        ("@data\n1,1e300:a\n", "1e300.* not a finite number"),
        ("@data\n1,2:3:a\n", "channels of 2, 1 steps"),
        ("@data\n1:2:a\n1:a\n", "a.ts:3: 1 channels, wanted 2"),
        ("@timeStamps true\n@data\n1:a\n", "have times"),
        ("@targetLabel true\n@data\n1:a\n", "target values"),
        ("@classLabel false\n@data\n1:2\n", "no labels"),
        ("1:a\n", "no @data before"),
        ("@data\n", "there is nothing in it"),
    ],
)
def test_series_that_cannot_be_read(tmp_path: Path, content: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read_labelled(written(tmp_path, "a.ts", content))


def test_real_series(real_data: Callable[[str], Path]) -> None:
    examples = read_labelled(real_data("timeseries/JapaneseVowels_TRAIN.ts.gz"))
    assert len(examples) == 270
    assert {np.shape(one.content)[1] for one in examples} == {12}
    assert {one.labels for one in examples} == {(str(n),) for n in range(1, 10)}


def test_what_is_something_else_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a.txt:1: looks like tokens with their tags.*\n.*timeloom train tag"):
        read(written(tmp_path, "a.txt", "fly O\nto O\nOslo B-city\n\nfly O\nhome O\n"))
    with pytest.raises(DataError, match=r"a .xlsx file"):
        read(written(tmp_path, "a.xlsx", "x"))
    assert read(written(tmp_path, "b.txt", '{"text": "x", "label": "y"}\n')) == [("x", ("y",))]
    assert read(written(tmp_path, "c.txt", "label\ttext\ny\tx\n")) == [("x", ("y",))]
    for name in ("good/1.txt", "good/README.md", "bad/1.txt"):
        written(tmp_path / "folder", name, "") if (tmp_path / "folder").mkdir(exist_ok=True) else None
        (tmp_path / "folder" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "folder" / name).write_text("x")
    with pytest.raises(DataError, match=r"README.md: lies in a folder of texts and seems to be none: 1 of the 3"):
        read(tmp_path / "folder")


def notes(path: Path, **more: object) -> str:
    file = LabelledFile(**more)  # type: ignore[arg-type]
    return "\n".join(notes_on_labels(file.read(path), str(path), file))


def test_notes_on_labels(tmp_path: Path) -> None:
    said = notes(written(tmp_path, "a.txt", "good x\n" * 7 + "bad x\n" * 3))
    assert said == f"10 examples with 2 labels in {tmp_path / 'a.txt'}: good (7), bad (3)"
    said = notes(written(tmp_path, "b.txt", "".join(f"word{n} and more\n" for n in range(30))))
    assert "30 of the 30 examples have a label that no other has" in said
    said = notes(written(tmp_path, "c.csv", "text,label\na,news;x\nb,news\nc,x\n"))
    assert "'news;x' is one label" in said.replace("news;x is", "'news;x' is")
    assert "--label_separator ';'" in said
    assert "--label_separator" not in notes(tmp_path / "c.csv", label_separator=";")
    kinds = [f"{coarse}:{fine}" for coarse in ("NUM", "HUM") for fine in ("a", "b", "c")]
    said = notes(written(tmp_path, "d.txt", "".join(f"{kind} what ?\n" * 3 for kind in kinds)))
    assert "--label_until ':' would make 2 labels of the 6" in said
    said = notes(written(tmp_path, "e.txt", 'pos "two lines\nFrom: them"\n' * 3 + "neg fine\n"))
    assert "line 1 opens a quotation mark" in said


def test_limits(tmp_path: Path) -> None:
    before = current.set(Limits(line=1000, sentence=20, stream=3000, unfolded=2000, fold=2, wait=0.2))
    try:
        with pytest.raises(DataError, match=r"a.txt:2: a line of more than .*\n  Add --no_limits"):
            read(written(tmp_path, "a.txt", "good x\nbad " + "x" * 2000 + "\n"))
        with pytest.raises(
            DataError, match=r"a.csv:502: is no table: a field .* in line 2 has more than 1000 characters"
        ):
            read(written(tmp_path, "a.csv", 'text,label\n"' + "x\n" * 900 + '",y\n'))
        with pytest.raises(DataError, match=r"t.conll:1: a sentence of 21 tokens, more than 20"):
            read_tagged(written(tmp_path, "t.conll", "fly O\n" * 21))
        with pytest.raises(DataError, match=r"b.txt:1: a text of 21 words"):
            read(written(tmp_path, "b.txt", "y " + "x " * 21 + "\n"))
        bomb = written(tmp_path, "b.txt.gz", gzip.compress(b"good x\n" * 9000))
        with pytest.raises(DataError, match="unpacks to more than"):
            read(bomb)
        np.savez_compressed(tmp_path / "b.npz", x=np.zeros((90, 90, 1)), y=np.zeros(90, int))
        with pytest.raises(DataError, match="unpacks to"):
            read_labelled(tmp_path / "b.npz")
        with no_limits():
            assert len(read(bomb)) == 9000
            assert len(read_labelled(tmp_path / "b.npz")) == 90
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(DataError, match="is a pipe, and nobody has written to it"):
            read(tmp_path / "pipe")
    finally:
        current.reset(before)


@pytest.mark.parametrize("name", ["/dev/zero", "/dev/null"])
def test_devices(name: str) -> None:
    with pytest.raises(DataError):
        read(Path(name))
    with pytest.raises(DataError):
        read_labelled(Path(name), "npz")


def test_a_pipe_is_read_as_a_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=lambda: (tmp_path / "pipe").write_text("good x\nbad y\n"))
    writer.start()
    assert LabelledFile(format="lines").read(tmp_path / "pipe")[1].labels == ("bad",)
    writer.join()


def test_vectors_whose_first_line_is_odd(tmp_path: Path) -> None:
    words, _ = read_vectors(written(tmp_path, "v.txt", "² 4\n"), 1, lambda word, place: True)
    assert words == ["²"]
    with pytest.raises(DataError, match="1_0"):
        read_vectors(written(tmp_path, "w.txt", "a 1_0\n"), 1, lambda word, place: True)


def test_numbers_that_32_bits_do_not_hold(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a.csv:2: '1e300' is not a finite number"):
        read_labelled(written(tmp_path, "a.csv", "series,label,v\na,x,1e300\n"), "steps")
    np.savez(tmp_path / "a.npz", x=np.full((1, 1, 1), 1e300), y=np.zeros(1, int))
    with pytest.raises(DataError, match="too large for 32 bits"):
        read_labelled(tmp_path / "a.npz")
    with pytest.raises(DataError, match=r"a.csv:\d: is no table: a CR"):
        read_labelled(written(tmp_path, "a.csv", "series,label,v\na,x,1\rb\n"), "steps")


def test_labels_in_bytes(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros((1, 1, 1)), y=np.array([b"good"]))
    assert read_labelled(tmp_path / "a.npz")[0].labels == ("good",)
    np.savez(tmp_path / "b.npz", x=np.zeros((1, 1, 1)), y=np.array(["good"], object))
    with pytest.raises(DataError, match=r"Object arrays .*\n  Save labels as texts"):
        read_labelled(tmp_path / "b.npz")
