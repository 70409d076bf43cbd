"""conlleval against numbers computed by hand, and against the one that CoNLL-2000 published."""

from __future__ import annotations

import gzip
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest

from timeloom.data import chunks
from timeloom.train import score_chunks

GOLD = [["B-X", "I-X", "O", "B-Y"], ["B-Y", "O"], ["O", "B-X", "B-X"]]
FOUND = [["B-X", "O", "O", "B-Y"], ["B-X", "O"], ["O", "B-X", "B-X"]]
# Gold: X(0,2) Y(3,4) | Y(0,1) | X(1,2) X(2,3). Found: X(0,1) Y(3,4) | X(0,1) | X(1,2) X(2,3).
# Right: Y(3,4), X(1,2), X(2,3): 3 of 5 found and 3 of 5 there. Tokens right: 3 + 1 + 3 of 9.


def scored(gold: list[list[str]], found: list[list[str]]):
    pairs = [(g, f) for gs, fs in zip(gold, found, strict=True) for g, f in zip(gs, fs, strict=True)]
    return score_chunks(
        map(chunks, gold), map(chunks, found), tokens=len(pairs), correct_tokens=sum(g == f for g, f in pairs)
    )


def test_by_hand() -> None:
    scores = scored(GOLD, FOUND)
    assert (scores.overall.gold, scores.overall.found, scores.overall.correct) == (5, 5, 3)
    assert scores.overall.precision == scores.overall.recall == scores.overall.f1 == pytest.approx(60)
    assert scores.accuracy == pytest.approx(100 * 7 / 9)
    x, y = scores.by_type["X"], scores.by_type["Y"]
    assert (x.gold, x.found, x.correct) == (3, 4, 2)
    assert (y.gold, y.found, y.correct) == (2, 1, 1)
    assert y.f1 == pytest.approx(2 * 100 * 50 / 150)


def test_report_has_the_layout_of_conlleval() -> None:
    assert scored(GOLD, FOUND).report().splitlines() == [
        "processed 9 tokens with 5 phrases; found: 5 phrases; correct: 3.",
        "accuracy:  77.78%; precision:  60.00%; recall:  60.00%; FB1:  60.00",
        "                X: precision:  50.00%; recall:  66.67%; FB1:  57.14  4",
        "                Y: precision: 100.00%; recall:  50.00%; FB1:  66.67  1",
    ]


def test_nothing_there_and_nothing_found() -> None:
    scores = scored([["O"]], [["O"]])
    assert (scores.overall.f1, scores.accuracy) == (0, 100)


def test_the_published_baseline_of_conll_2000(real_data: Callable[[str], Path]) -> None:
    """The shared task's own baseline, the commonest chunk tag of each part of speech: 72.58 / 82.14 / 77.07."""

    def rows(name: str) -> list[list[list[str]]]:
        text = gzip.decompress(real_data(f"conll2000/{name}").read_bytes()).decode()
        return [[line.split() for line in block.splitlines()] for block in text.split("\n\n") if block.strip()]

    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for sentence in rows("train.txt.gz"):
        for _, part_of_speech, tag in sentence:
            counts[part_of_speech][tag] += 1
    test = rows("test.txt.gz")
    found = [[counts[part_of_speech].most_common(1)[0][0] for _, part_of_speech, _ in s] for s in test]
    overall = scored([[tag for *_, tag in s] for s in test], found).overall
    assert (round(overall.precision, 2), round(overall.recall, 2), round(overall.f1, 2)) == (72.58, 82.14, 77.07)
