"""Words in, vectors out: what a tagger knows of each word before it reads the sentence."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from timeloom.layers import speller_of
from timeloom.tasks.tagging.batch import Batch
from timeloom.tasks.tagging.options import TaggerOptions

WRITTEN = ("sign", "digits", "lower", "Capital", "CAPITALS", "mIxed")
"""How a word can be written; a word with a digit in it is "digits", one without letters a "sign"."""


def how_written(word: str) -> int:
    """The place of the word's case in WRITTEN."""
    if any(letter.isdigit() for letter in word):
        return 1
    if not any(letter.isalpha() for letter in word):
        return 0
    if not any(letter.isupper() for letter in word):
        return 2
    if word[0].isupper() and not any(letter.isupper() for letter in word[1:]):
        return 3
    return 4 if not any(letter.islower() for letter in word) else 5


class WordVectors(nn.Module):
    """The word itself, its letters and its case, side by side: `output_size` numbers a word.

    Args:
        options: Of the tagger.
        words: Different words, 0 padding.
        letters: Different letters, 0 padding.
        unknown: The number of the word that stands for all others.
        features: Different symbols of each further feature, 0 padding.
    """

    def __init__(self, options: TaggerOptions, words: int, letters: int, unknown: int, features: Sequence[int] = ()):
        super().__init__()
        self.options, self.unknown = options, unknown
        self.embedding = nn.Embedding(words, options.embedding_size, padding_idx=0)
        self.speller = speller_of(
            options.characters,
            letters,
            options.character_embedding_size,
            options.character_hidden_size,
            options.cell,
        )
        self.cases = nn.Embedding(len(WRITTEN), len(WRITTEN)) if options.capitalisation else None
        self.features = nn.ModuleList(
            nn.Embedding(symbols, options.feature_embedding_size, padding_idx=0) for symbols in features
        )
        self.output_size = options.embedding_size
        self.output_size += 0 if self.speller is None else self.speller.output_size
        self.output_size += 0 if self.cases is None else len(WRITTEN)
        self.output_size += len(self.features) * options.feature_embedding_size
        # How often the training data has each word; only training needs it, so it is not saved.
        self.counts: Tensor | None
        self.register_buffer("counts", None, persistent=False)

    def forward(self, batch: Batch) -> Tensor:
        """Words (B, T) → (B, T, W); while training, rare words are hidden now and then."""
        words = batch.words.data
        if self.training and self.counts is not None:
            hide = self.options.word_dropout / (self.options.word_dropout + self.counts[words])
            words = torch.where(torch.rand_like(hide) < hide, self.unknown, words)
        vectors = [self.embedding(words)]  # (B, T, E)
        if self.speller is not None:
            assert batch.spellings is not None
            vectors.append(self.speller(batch.spellings)[batch.spelling])
        if self.cases is not None:
            vectors.append(self.cases(batch.cases))
        for number, embedding in enumerate(self.features):
            assert batch.features is not None
            vectors.append(embedding(batch.features[..., number]))
        return torch.cat(vectors, dim=-1)
