"""Scores of tagged text as CoNLL's shared tasks count them: a chunk is right when its type and both borders are.

Source: the shared task's evaluation, Tjong Kim Sang & Buchholz 2000, "Introduction to the CoNLL-2000 Shared Task".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Counts:
    """Chunks in the gold data, found by the tagger, and right."""

    gold: int = 0
    found: int = 0
    correct: int = 0

    @property
    def precision(self) -> float:
        return percent(self.correct, self.found)

    @property
    def recall(self) -> float:
        return percent(self.correct, self.gold)

    @property
    def f1(self) -> float:
        """Twice the right over gold and found together: the harmonic mean of precision and recall, in percent."""
        return percent(2 * self.correct, self.gold + self.found)


@dataclass(frozen=True)
class ChunkScores:
    """The counts of a whole corpus, and of each chunk type by its name."""

    overall: Counts
    by_type: dict[str, Counts]
    tokens: int
    correct_tokens: int

    @property
    def accuracy(self) -> float:
        """Share of tokens with the right tag, in percent."""
        return percent(self.correct_tokens, self.tokens)

    def as_dict(self) -> dict[str, object]:
        """All of it under plain names, percents with two digits."""

        def row(counts: Counts) -> dict[str, float]:
            return {
                "precision": round(counts.precision, 2),
                "recall": round(counts.recall, 2),
                "f1": round(counts.f1, 2),
                "gold": counts.gold,
                "found": counts.found,
                "correct": counts.correct,
            }

        types = {name: row(counts) for name, counts in self.by_type.items()}
        return {**row(self.overall), "accuracy": round(self.accuracy, 2), "tokens": self.tokens, "types": types}

    def report(self) -> str:
        """The table in conlleval's own layout."""
        width = max((len(name) for name in self.by_type), default=0)
        overall = self.overall
        lines = [
            f"processed {self.tokens} tokens with {overall.gold} phrases; "
            f"found: {overall.found} phrases; correct: {overall.correct}.",
            f"accuracy: {self.accuracy:6.2f}%; {rates(overall)}",
        ]
        lines += [f"{name:>{max(17, width)}}: {rates(c)}  {c.found}" for name, c in self.by_type.items()]
        return "\n".join(lines)


def score_chunks(
    gold: Iterable[Sequence[tuple[str, int, int]]],
    found: Iterable[Sequence[tuple[str, int, int]]],
    *,
    tokens: int,
    correct_tokens: int,
) -> ChunkScores:
    """Count chunks sentence by sentence; a chunk is (type, start, end)."""
    counts: dict[str, Counter[str]] = {name: Counter() for name in ("gold", "found", "correct")}
    for gold_chunks, found_chunks in zip(gold, found, strict=True):
        right = set(gold_chunks) & set(found_chunks)
        counts["gold"].update(chunk[0] for chunk in gold_chunks)
        counts["found"].update(chunk[0] for chunk in found_chunks)
        counts["correct"].update(chunk[0] for chunk in found_chunks if chunk in right)
    names = sorted(counts["gold"] | counts["found"])
    by_type = {n: Counts(counts["gold"][n], counts["found"][n], counts["correct"][n]) for n in names}
    overall = Counts(*(counter.total() for counter in counts.values()))
    return ChunkScores(overall, by_type, tokens, correct_tokens)


def rates(counts: Counts) -> str:
    return f"precision: {counts.precision:6.2f}%; recall: {counts.recall:6.2f}%; FB1: {counts.f1:6.2f}"


def percent(part: int, whole: int) -> float:
    return 100.0 * part / whole if whole else 0.0
