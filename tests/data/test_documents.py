"""Readers of documents with key terms: JSON in its forms, and folders of texts and keys."""

from __future__ import annotations

from pathlib import Path

import pytest

from timeloom.core import DataError
from timeloom.data import Document, read_documents

WANTED = [Document(("Deep", "nets", ".", "We", "train"), (("deep", "nets"), ("training",)))]


def content(documents: list[Document]) -> list[tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]]:
    return [(one.words, one.terms) for one in documents]


@pytest.mark.parametrize("terms", ['["Deep nets", "training"]', '"Deep nets; training;"', '"Deep nets;training"'])
@pytest.mark.parametrize("frame", ["{}\n", "[{}]", "[\n{}\n]\n"], ids=["line", "array", "lines of an array"])
def test_terms_as_a_list_or_with_semicolons(tmp_path: Path, terms: str, frame: str) -> None:
    record = '{"title": "Deep nets", "abstract": "We train", "keyword": ' + terms + "}"
    (tmp_path / "a.json").write_text(frame.replace("{}", record))
    assert content(read_documents(tmp_path / "a.json", ["title", "abstract"], "keyword")) == content(WANTED)


@pytest.mark.parametrize(("texts", "keys"), [("docs", "keys"), ("docsutf8", "keys"), (".", ".")])
def test_folders_of_texts_and_keys(tmp_path: Path, texts: str, keys: str) -> None:
    for folder in (texts, keys):
        (tmp_path / folder).mkdir(exist_ok=True)
    (tmp_path / texts / "2.txt").write_text("Deep nets.\nWe train\n")
    (tmp_path / keys / "2.key").write_text("Deep nets\ntraining\n\n")
    (tmp_path / texts / "1.txt").write_text("A chain\n")
    (tmp_path / keys / "1.key").write_text("")
    found = read_documents(tmp_path, ["text"], "keyterms")
    assert content(found) == [(("A", "chain"), ()), *content(WANTED)]
    (tmp_path / keys / "1.key").unlink()
    assert len(read_documents(tmp_path, ["text"], "keyterms", with_terms=False)) == 2
    with pytest.raises(DataError, match=r"there is no 1.key to go with 1.txt; 1 of 3 files are alone"):
        read_documents(tmp_path, ["text"], "keyterms")
    (tmp_path / texts / "1.txt").unlink()
    (tmp_path / keys / "3.key").write_text("x")
    with pytest.raises(DataError, match=r"there is no 3.txt to go with 3.key"):
        read_documents(tmp_path, ["text"], "keyterms")


def test_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there are no .txt files in this folder"):
        read_documents(tmp_path, ["text"], "keyterms")
