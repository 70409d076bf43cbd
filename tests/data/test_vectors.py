"""Word vectors from text files, good and bad."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from timeloom.core import DataError
from timeloom.data import read_vectors

GLOVE = "the 1 2 3\n. . . 4 5 6\ncat -1e-3 0.5 7\n"


def every(word: str, place: int) -> bool:
    return True


WAYS = {
    "glove": GLOVE,
    "word2vec": "3 3\n" + GLOVE,
    "blanks": GLOVE.replace("\n", " \n"),
    "tab": GLOVE.replace("the 1 2 3", "the\t1\t2\t3"),
}


@pytest.mark.parametrize("text", WAYS.values(), ids=WAYS)
def test_both_formats(tmp_path: Path, text: str) -> None:
    path = tmp_path / "v.txt"
    path.write_text(text)
    words, vectors = read_vectors(path, 3, every)
    assert words == ["the", ". . .", "cat"]
    assert vectors.tolist() == [[1, 2, 3], [4, 5, 6], [pytest.approx(-1e-3), 0.5, 7]]


def test_only_what_is_wanted_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "v.txt.gz"
    path.write_bytes(gzip.compress(GLOVE.encode()))
    words, vectors = read_vectors(path, 3, lambda word, place: place == 0 or word == "cat")
    assert words == ["the", "cat"]
    assert vectors.shape == (2, 3)
    assert read_vectors(path, 3, lambda word, place: False)[1].shape == (0, 3)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("the 1 2\ncat 3 4\n", r"v.txt:1: a vector of 2 numbers, wanted 3 .*\n.*--embedding_size 2"),
        ("2 2\nthe 1 2\n", r"v.txt:1: a vector of 2 numbers"),
        ("the 1 2 3\ncat 3 4\n", r"v.txt:2: a vector of 2 numbers"),
        ("the 1 2 3\nRome 1 3 4 5\n", r"v.txt:2: a vector of 4 numbers, wanted 3"),
        ("3 3\nthe 1 2 3\n", r"v.txt: has 1 vectors, and its first line promises 3; it may have been cut short"),
        ("the 1 2 3\ncat 3 x 4\n", r"v.txt:2: number 2 of 3 is 'x', wanted a word and 3 finite numbers"),
        ("the 1 2 3\ncat 3 nan 4\n", r"v.txt:2: number 2 of 3 is 'nan'"),
        ("the 1 2 inf\n", r"v.txt:1: number 3 of 3 is 'inf'"),
        ("the\n", r"v.txt:1: not a word with its numbers"),
        ("", "there are no vectors"),
        ("5 3\n", "there are no vectors"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "v.txt"
    path.write_text(text)
    with pytest.raises(DataError, match=said):
        read_vectors(path, 3, every)
