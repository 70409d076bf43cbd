"""Words, pairs of words and pieces of words, each with a score of its own wherever it stands in a text."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from zlib import crc32

import torch
from torch import Tensor, nn
from torch.nn import functional as F

PIECES = (3, 4, 5)  # letters, the borders of a word counted as one each
LARGEST = 1 << 24  # weights


@dataclass
class Grams:
    """The n-grams of B texts in a row: which they are (N,), their values (N,), and where each text begins (B,)."""

    rows: Tensor
    values: Tensor
    begins: Tensor

    def to(self, device: torch.device | str) -> Grams:
        return Grams(self.rows.to(device), self.values.to(device), self.begins.to(device))

    @staticmethod
    def of(texts: Sequence[tuple[Tensor, Tensor]]) -> Grams:
        """Texts, each as rows and values, in a row."""
        lengths = torch.tensor([len(rows) for rows, _ in texts], dtype=torch.long)
        rows = torch.cat([rows for rows, _ in texts]) if texts else lengths
        values = torch.cat([values for _, values in texts]) if texts else lengths.float()
        return Grams(rows, values, lengths.cumsum(0) - lengths)


class NGrams(nn.Module):
    """Linear scores of labels from the n-grams of a text: (1 + log n) · idf, words with pairs of words and pieces of
    words each scaled to length 1.

    An n-gram is known by a hash of 32 bits. Nothing here is trained by gradient descent: `learn_ngrams` counts and
    solves, and what it finds are buffers.

    Args:
        size: How many n-grams are known.
        labels: L.
    """

    hashes: Tensor  # (size,) ascending
    idf: Tensor  # (size,)
    weight: Tensor  # (size, L)
    bias: Tensor  # (L,)

    def __init__(self, size: int, labels: int):
        super().__init__()
        self.register_buffer("hashes", torch.arange(size))
        self.register_buffer("idf", torch.zeros(size))
        self.register_buffer("weight", torch.zeros(size, labels))
        self.register_buffer("bias", torch.zeros(labels))
        self._row_of: dict[int, int] = {}

    def encode(self, words: Sequence[str]) -> tuple[Tensor, Tensor]:
        """The known n-grams of a text by their rows, and their values."""
        found: list[tuple[int, float]] = []
        for kind in (word_grams(words), piece_grams(words)):
            found += self.valued(Counter(gram for gram, _ in kind))
        rows, values = zip(*found, strict=True) if found else ((), ())
        return torch.tensor(rows, dtype=torch.long), torch.tensor(values, dtype=self.idf.dtype)

    def valued(self, counts: Counter[str]) -> list[tuple[int, float]]:
        """The known ones of n-grams of one kind with their values, whose squares sum to 1."""
        known = [(row, count) for gram, count in counts.items() if (row := self.row_of(gram)) is not None]
        if not known:
            return []
        idf = self.idf[torch.tensor([row for row, _ in known])].tolist()
        values = [(1 + math.log(count)) * weight for (_, count), weight in zip(known, idf, strict=True)]
        length = math.sqrt(sum(value * value for value in values)) or 1.0
        return [(row, value / length) for (row, _), value in zip(known, values, strict=True)]

    def row_of(self, gram: str) -> int | None:
        if len(self._row_of) != len(self.hashes):  # the hashes may have been loaded since
            self._row_of = {number: row for row, number in enumerate(self.hashes.tolist())}
        return self._row_of.get(crc32(gram.encode()))

    def forward(self, grams: Grams) -> Tensor:
        """Scores of the labels: (B, L)."""
        return product(grams, self.weight) + self.bias

    def influence(self, words: Sequence[str], label: int) -> list[float]:
        """What each word adds to a label's score; what several words have in common is shared evenly among them."""
        rows, values = self.encode(words)
        adds = dict(zip(rows.tolist(), (values * self.weight[rows, label]).tolist(), strict=True))
        places: dict[int, list[int]] = {}
        for kind in (word_grams(words), piece_grams(words)):
            for gram, where in kind:
                row = self.row_of(gram)
                if row is not None:
                    places.setdefault(row, []).extend(where)
        found = [0.0] * len(words)
        for row, where in places.items():
            for place in where:
                found[place] += adds[row] / len(where)
        return found


def product(grams: Grams, weight: Tensor) -> Tensor:
    """For each text the weights (size, L) of its n-grams, times their values, summed: (B, L)."""
    values = grams.values.to(weight.dtype)
    return F.embedding_bag(grams.rows, weight, grams.begins, mode="sum", per_sample_weights=values)


def word_grams(words: Sequence[str]) -> list[tuple[str, tuple[int, ...]]]:
    """Words and pairs of words, and which of the words each is made of."""
    single = [(word, (place,)) for place, word in enumerate(words)]
    pairs = [(f"{one} {other}", (place, place + 1)) for place, (one, other) in enumerate(pairwise(words))]
    return [*single, *pairs]


def piece_grams(words: Sequence[str]) -> list[tuple[str, tuple[int, ...]]]:
    """Pieces of words, and which word each is from. A blank stands for either border, and one more tells pieces from
    words."""
    found = []
    for place, word in enumerate(words):
        whole = f" {word} "
        for size in PIECES:
            found += [(f" {whole[begin : begin + size]}", (place,)) for begin in range(len(whole) - size + 1)]
    return found


def frequent_grams(texts: Sequence[Sequence[str]], most: int) -> dict[int, int]:
    """The hashes of the n-grams that most texts have, and how many texts have each."""
    seen: Counter[int] = Counter()
    for words in texts:
        grams = {gram for kind in (word_grams(words), piece_grams(words)) for gram, _ in kind}
        seen.update({crc32(gram.encode()) for gram in grams})
    kept = sorted(seen, key=lambda number: (-seen[number], number))[:most]
    return {number: seen[number] for number in sorted(kept)}
