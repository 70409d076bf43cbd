"""Sentences with other words in their chunks: what a tagger learns from them is where a chunk stands, not its words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from timeloom.data import Chunk, Sentence, chunks

Filling = tuple[tuple[str, ...], ...]
"""The tokens of a chunk, and then its features, column by column."""


class ChunkSwaps:
    """Replaces chunks by others of the same type that the training data have.

    Args:
        sentences: The training data, with BIO tags.
        share: Of the chunks that are replaced, each by one drawn from all different chunks of its type.
    """

    def __init__(self, sentences: Sequence[Sentence], share: float):
        self.share = share
        found: dict[str, dict[Filling, None]] = {}  # in the order in which they are first seen
        for sentence in sentences:
            for chunk in chunks(sentence.tags or ()):
                found.setdefault(chunk.type, {})[filling(sentence, chunk)] = None
        self.fillings = {kind: tuple(of_kind) for kind, of_kind in found.items()}

    def __call__(self, sentence: Sentence) -> Sentence:
        """The sentence with some of its chunks replaced, by the global random numbers."""
        columns: list[list[str]] = [[] for _ in (sentence.tokens, *sentence.features)]
        tags: list[str] = []
        position = 0
        for chunk in chunks(sentence.tags or ()):
            put(columns, filling(sentence, Chunk(chunk.type, position, chunk.start)))
            tags += (sentence.tags or ())[position : chunk.start]
            new = filling(sentence, chunk)
            if torch.rand(()) < self.share:
                of_kind = self.fillings[chunk.type]
                new = of_kind[int(torch.randint(len(of_kind), ()))]
            put(columns, new)
            tags += [f"B-{chunk.type}", *[f"I-{chunk.type}"] * (len(new[0]) - 1)]
            position = chunk.end
        put(columns, filling(sentence, Chunk("", position, len(sentence.tokens))))
        tags += (sentence.tags or ())[position:]
        tokens, *features = (tuple(column) for column in columns)
        return replace(sentence, tokens=tokens, tags=tuple(tags), features=tuple(features))


def filling(sentence: Sentence, chunk: Chunk) -> Filling:
    return tuple(column[chunk.start : chunk.end] for column in (sentence.tokens, *sentence.features))


def put(columns: list[list[str]], new: Filling) -> None:
    for column, words in zip(columns, new, strict=True):
        column += words
