"""How good an extractor is: of its best terms, and of the words it marks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from timeloom.data import Chunk, Document, Term
from timeloom.tasks.keyterms.model import KeytermExtractor
from timeloom.tasks.keyterms.options import DocumentFile
from timeloom.tasks.keyterms.spans import occurrences
from timeloom.train import ChunkScores, score_chunks

FIRST = (5, 10)


@dataclass(frozen=True)
class KeytermScores:
    """Scores over some documents, in percent.

    Attributes:
        f1_at: By how many of the best terms are taken of each document: F1 of all documents together, of the terms as
            they are written, in lower case; terms that do not stand in their text count as missed.
        spans: Of the words marked, against the places where the key terms stand.
        documents, terms: How many.
    """

    f1_at: dict[int, float]
    spans: ChunkScores
    documents: int
    terms: int

    def as_dict(self) -> dict[str, object]:
        return {
            **{f"f1_at_{count}": round(value, 2) for count, value in self.f1_at.items()},
            "spans": self.spans.as_dict(),
            "documents": self.documents,
            "terms": self.terms,
        }

    def report(self) -> str:
        best = "; ".join(f"F1 of the best {count}: {value:6.2f}%" for count, value in self.f1_at.items())
        return f"{self.documents} documents, {self.terms} key terms; {best}\nmarked in the text:\n{self.spans.report()}"


def f1_of_first(ranked: Sequence[Sequence[Term]], documents: Sequence[Document], count: int) -> float:
    """F1, in percent, of the first so many terms of each document against its key terms, all documents together."""
    taken = [terms[:count] for terms in ranked]
    right = sum(len({*terms} & {*one.terms}) for terms, one in zip(taken, documents, strict=True))
    both = sum(map(len, taken)) + sum(len(one.terms) for one in documents)
    return 200.0 * right / both if both else 0.0


def score_extractor(extractor: KeytermExtractor, documents: Sequence[Document]) -> KeytermScores:
    """Extract anew, and compare with the documents' own terms."""
    found = extractor.extract(documents)
    ranked = [[term for term, _ in one.terms] for one in found]
    gold = [occurrences(one) for one in documents]
    marked = [marks(one, chunks) for one, chunks in zip(documents, gold, strict=True)]
    right = sum(
        mine == theirs
        for one, extracted, wanted in zip(documents, found, marked, strict=True)
        for mine, theirs in zip(marks(one, extracted.spans), wanted, strict=True)
    )
    return KeytermScores(
        {count: f1_of_first(ranked, documents, count) for count in FIRST},
        score_chunks(gold, [one.spans for one in found], tokens=sum(map(len, marked)), correct_tokens=right),
        len(documents),
        sum(len(one.terms) for one in documents),
    )


def marks(document: Document, spans: Sequence[Chunk]) -> list[int]:
    """For each word 0 outside, 1 where a key term begins, 2 inside."""
    found = [0] * len(document.words)
    for chunk in spans:
        found[chunk.start : chunk.end] = [1] + [2] * (chunk.end - chunk.start - 1)
    return found


def evaluate_keyterm_extractor(
    extractor: KeytermExtractor, path: str | Path, file: DocumentFile | None = None
) -> KeytermScores:
    """The scores of an extractor on a file."""
    return score_extractor(extractor, (file or DocumentFile()).read(path))
