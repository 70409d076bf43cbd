"""Raw text → tokens: by hand, there and back, and as a corpus has it."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeloom.data import Splitting, learn_splitting, read_tagged

KNOWN = {"U.S.", "'s", "n't", "Mr.", "Inc.", "l'", "no", "Paris"}


def split(text: str, splitting: Splitting = Splitting()) -> str:  # noqa: B008 (it is frozen)
    sentences = splitting.split(text, KNOWN.__contains__)
    assert all(text[token.start : token.end] == token.text for tokens in sentences for token in tokens)
    return " | ".join(" ".join(token.text for token in tokens) for tokens in sentences)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            "Angela Merkel flew to Paris. She met Emmanuel Macron, of the European Union.",
            "Angela Merkel flew to Paris . | She met Emmanuel Macron , of the European Union .",
        ),
        ("Mr. Smith's dog didn't (ever) bark...", "Mr. Smith 's dog did n't ( ever ) bark ..."),
        ("It cost $5,000.50 at 10:30!", "It cost $ 5,000.50 at 10:30 !"),
        ('"Really?" he said. "Yes."', '" Really ? " he said . | " Yes . "'),
        ("We live in the U.S. and D.C. now", "We live in the U.S. and D.C. now"),
        ("See http://a.b/c?d=1, or mail a.b@c.de.", "See http://a.b/c?d=1 , or mail a.b@c.de ."),
        ("AT&T well-known and/or end-", "AT&T well-known and/or end -"),
        ("He said no.", "He said no ."),
        ("Then left.She ran", "Then left . She ran"),
        ("l'ami x--y «Bonjour»", "l' ami x -- y « Bonjour »"),
        ("❤️🎉 ok 👍🏽!", "❤️ 🎉 ok 👍🏽 !"),
        ("नमस्ते दुनिया।", "नमस्ते दुनिया ।"),
        ("他来了。我走了。", "他来了 。 | 我走了 。"),
        ("one\n\ntwo\nthree", "one | two three"),
        ("", ""),
        (" \n", ""),
        ("...", "..."),
        ("Paris.", "Paris ."),
        ("of Apple Inc..", "of Apple Inc. ."),
    ],
)
def test_by_hand(text: str, wanted: str) -> None:
    assert split(text) == wanted


def test_options() -> None:
    assert split("so #tag, 5%! well-known", Splitting(leading="#", trailing="%", apart="-")) == (
        "so #tag , 5% ! well - known"
    )
    assert split("In Rome. Then.", Splitting(sentences=False)) == "In Rome . Then ."
    assert split("In Rome. Then.", Splitting(punctuation=False)) == "In Rome. Then."
    assert split("他在IBM工作", Splitting(ideographs=True)) == "他 在 IBM 工 作"


@given(st.text(max_size=30), st.booleans())
def test_nothing_is_lost_but_blanks(text: str, ideographs: bool) -> None:
    sentences = Splitting(ideographs=ideographs).split(text, KNOWN.__contains__)
    tokens = [token for tokens in sentences for token in tokens]
    assert all(sentences)
    assert "".join(token.text for token in tokens) == "".join(text.split())
    assert all(text[token.start : token.end] == token.text != "" for token in tokens)
    assert all(one.end <= other.start for one, other in pairwise(tokens))


@pytest.mark.parametrize(
    ("sentences", "wanted"),
    [
        (["fly to Rome"], Splitting()),
        (["so , he left .", "yes !"], Splitting()),
        (["so, he left.", "yes!"], Splitting(punctuation=False)),
        (["so, he left", "yes"], Splitting(punctuation=False)),
        (["Mr. Smith works at Apple Inc .", "in the U.S."], Splitting()),
        (["#a #b @c .", "5% 6% , 7%"], Splitting(leading="#", trailing="%")),
        (["well - known - as end - of -"], Splitting(apart="-")),
        (["Yes . No . So ."], Splitting(sentences=False)),
        (["他 在 北 京 。"], Splitting(ideographs=True)),
    ],
)
def test_learned_from_tokens(sentences: list[str], wanted: Splitting) -> None:
    assert learn_splitting([sentence.split() for sentence in sentences]) == wanted


def test_conll_2000_is_split_as_it_was(real_data: Callable[[str], Path]) -> None:
    """Its test sentences, written as people write them, come back as they were; those written with blanks, too."""
    train, test = (read_tagged(real_data(f"conll2000/{name}.txt.gz")) for name in ("train", "test"))
    splitting = learn_splitting([sentence.tokens for sentence in train])
    known = {token for sentence in train for token in sentence.tokens}
    same = {"written": 0, "with blanks": 0}
    for sentence in test:
        blanks = " ".join(sentence.tokens)
        written = re.sub(r" ([,.;:!?%)]|'s|n't|'re|'ve|'ll|'m|'d)(?= |$)", r"\1", blanks)
        written = re.sub(r"([$(#]) ", r"\1", written)
        for name, text in (("written", written), ("with blanks", blanks)):
            found = splitting.split(text, known.__contains__)
            same[name] += tuple(token.text for tokens in found for token in tokens) == sentence.tokens
    assert same["written"] > 0.96 * len(test)
    assert same["with blanks"] > 0.98 * len(test)
