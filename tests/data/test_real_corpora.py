"""Readers on the corpora of the field, against the counts that their papers and repositories give."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from timeloom.data import Sentence, chunks, normalise, read_tagged


def content(sentences: list[Sentence]) -> list[tuple[tuple[str, ...], tuple[str, ...] | None, str | None]]:
    return [(sentence.tokens, sentence.tags, sentence.label) for sentence in sentences]


def test_atis(real_data: Callable[[str], Path]) -> None:
    splits = {split: read_tagged(real_data(f"atis/{split}")) for split in ("train", "valid", "test")}
    assert [len(sentences) for sentences in splits.values()] == [4478, 500, 893]
    everything = [sentence for sentences in splits.values() for sentence in sentences]
    assert len({tag for sentence in everything for tag in sentence.tags or ()}) == 127
    assert len({sentence.label for sentence in everything}) == 26
    assert normalise(everything).scheme == "bio"
    lines = read_tagged(real_data("atis/iob/atis.test.w-intent.iob"))
    assert content(lines) == content(splits["test"])


@pytest.mark.parametrize(
    ("name", "sentences", "tokens", "found"), [("train", 8936, 211727, 106978), ("test", 2012, 47377, 23852)]
)
def test_conll_2000(real_data: Callable[[str], Path], name: str, sentences: int, tokens: int, found: int) -> None:
    read = normalise(read_tagged(real_data(f"conll2000/{name}.txt.gz")), strict=True)
    assert (read.scheme, len(read.sentences)) == ("bio", sentences)
    assert sum(len(sentence.tokens) for sentence in read.sentences) == tokens
    assert sum(len(chunks(sentence.tags or ())) for sentence in read.sentences) == found
