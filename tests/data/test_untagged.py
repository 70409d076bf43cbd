"""Readers of text to be tagged: files by their content or name, and streams as they come."""

from __future__ import annotations

import gzip
import io
import os
from pathlib import Path

import pytest

from timeloom.core import DataError
from timeloom.data import read_untagged

CONLL = "fly O\nto O\n\nOslo B-x\n"


def put(path: Path, text: str) -> Path:
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.mark.parametrize(
    ("name", "text", "tokens"),
    [
        ("t", "\nfly  to Oslo\n\n \n# soon\n", [("fly", "to", "Oslo"), ("#", "soon")]),
        ("t", 'fly {\n{"\n', [("fly", "{"), ('{"',)]),
        (
            "t.jsonl",
            '\n{"tokens": ["fly", "to"]}\n{"text": "to Oslo\\u00a0now"}\n',
            [("fly", "to"), ("to", "Oslo", "now")],
        ),
        ("t.conll", "# text = fly\nfly X\nto\n\n#\n\n# # O\nOslo X B-x\n", [("fly", "to"), ("#",), ("#", "Oslo")]),
        ("t.iob", CONLL, [("fly", "to"), ("Oslo",)]),
        ("t.bio.gz", CONLL, [("fly", "to"), ("Oslo",)]),
    ],
)
@pytest.mark.parametrize("ends", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_untagged(tmp_path: Path, name: str, text: str, tokens: list[tuple[str, ...]], ends: str) -> None:
    path = put(tmp_path / name, text.replace("\n", ends))
    found = list(read_untagged(path))
    assert [sentence.tokens for sentence in found] == tokens
    assert all(sentence.tags is None for sentence in found)


def test_streams() -> None:
    wanted = [("fly", "é"), ("to",)]
    text = "\ufefffly é\r\nto\n"
    for stream in (
        io.StringIO(text),
        io.BytesIO(text.encode()),
        io.TextIOWrapper(io.BytesIO(text.encode()), "latin-1"),
    ):
        assert [sentence.tokens for sentence in read_untagged(stream)] == wanted
    with pytest.raises(DataError, match=r"^<stream>:2: byte 0xff at offset 2 is not UTF-8"):
        list(read_untagged(io.BytesIO(b"a\n\xff\n")))
    with pytest.raises(DataError, match=r"^<stream>:1: there is no \"tokens\""):
        list(read_untagged(io.StringIO("{}")))
    with pytest.raises(DataError, match=r"1: the line holds \\ud83d, half of a character"):
        list(read_untagged(io.StringIO("wow \ud83d\n")))
    with pytest.raises(DataError, match=r'1: "text" holds \\ud83d'):
        list(read_untagged(io.StringIO('{"text": "wow \\ud83d"}\n')))


def test_a_stream_is_answered_as_it_comes() -> None:
    """A sentence is given before the line after it is there."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as stream, os.fdopen(writing, "wb", buffering=0) as pipe:
        pipe.write(b"fly to Oslo\n")
        sentences = read_untagged(stream)
        assert next(sentences).tokens == ("fly", "to", "Oslo")
        pipe.write(b"now\n")
        assert next(sentences).tokens == ("now",)


def test_nothing_to_predict(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no sentence"):
        list(read_untagged(put(tmp_path / "t", "\n\n")))
    assert list(read_untagged(io.BytesIO(b""))) == []


def test_tabs_tell_columns_and_tagged_lines(tmp_path: Path) -> None:
    """A table of words under any name, or from a stream, must not be taken for sentences of a word and its tag."""
    table, rows = "fly\tO\nRome\tB-to\n\nthanks\tO\n", "fly to Rome\tO O B-to\n"
    for name in ("x.tsv", "x"):
        (tmp_path / name).write_text(table)
        assert [s.tokens for s in read_untagged(tmp_path / name)] == [("fly", "Rome"), ("thanks",)]
    assert [s.tokens for s in read_untagged(io.StringIO(table))] == [("fly", "Rome"), ("thanks",)]
    (tmp_path / "y.txt").write_text("Rockwell NNP B-NP\nsaid VBD O\n\nso RB O\n")
    assert [s.tokens for s in read_untagged(tmp_path / "y.txt")] == [("Rockwell", "said"), ("so",)]
    assert [s.tokens for s in read_untagged(io.StringIO(rows))] == [("fly", "to", "Rome")]
    assert [s.tokens for s in read_untagged(io.StringIO("O fly\nB-to Rome\n"), "conll", 1)] == [("fly", "Rome")]
    with pytest.raises(DataError, match=r":2: 1 columns, so there is no column 1"):
        list(read_untagged(io.StringIO("a b\nc\n"), "conll", 1))
