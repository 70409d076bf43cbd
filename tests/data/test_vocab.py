"""Symbols and numbers, there and back."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeloom.core import DataError, UsageError
from timeloom.data import PAD, UNKNOWN, Vocabulary


def test_most_frequent_first_then_by_code_point() -> None:
    vocabulary = Vocabulary.build(["b", "a", "c", "b", "é", "B"])
    assert vocabulary.symbols == (PAD, UNKNOWN, "b", "B", "a", "c", "é")
    assert vocabulary.counts == (0, 0, 2, 1, 1, 1, 1)


def test_min_count_and_unknown() -> None:
    vocabulary = Vocabulary.build(["b", "a", "c", "b"], min_count=2)
    assert vocabulary.symbols == (PAD, UNKNOWN, "b")
    assert vocabulary.encode(["b", "a", "new"]) == [2, 1, 1]
    assert "b" in vocabulary
    assert "a" not in vocabulary
    assert len(vocabulary) == 3


def test_without_unknown_an_unknown_symbol_is_an_error() -> None:
    tags = Vocabulary.build(["O", "B-x"], specials=())
    assert tags.symbols == ("B-x", "O")
    with pytest.raises(DataError, match="'B-y' is none of the 2 known symbols"):
        tags.encode(["O", "B-y"])


@pytest.mark.parametrize("i", [-1, 2])
def test_an_id_outside_is_an_error(i: int) -> None:
    with pytest.raises(DataError, match=f"the id {i} is not in the vocabulary, wanted 0 ≤ id < 2"):
        Vocabulary(("a", "b")).decode([0, i])


def test_a_special_in_the_text_is_that_special() -> None:
    vocabulary = Vocabulary.build([UNKNOWN, UNKNOWN, "a"])
    assert vocabulary.symbols == (PAD, UNKNOWN, "a")


@pytest.mark.parametrize(("symbols", "said"), [(("a", "b", "a"), "'a' stands in it twice"), (("a", PAD), "wanted 0")])
def test_impossible_vocabularies(symbols: tuple[str, ...], said: str) -> None:
    with pytest.raises(DataError, match=said):
        Vocabulary(symbols)


def test_min_count_zero() -> None:
    with pytest.raises(UsageError, match="min_count is 0"):
        Vocabulary.build([], min_count=0)


@given(st.lists(st.text()))
def test_round_trips(tokens: list[str]) -> None:
    vocabulary = Vocabulary.build(tokens)
    assert vocabulary.decode(vocabulary.encode(tokens)) == tokens
    assert Vocabulary(tuple(json.loads(json.dumps(vocabulary.symbols)))) == vocabulary
    assert Vocabulary.build(reversed(tokens)) == vocabulary
