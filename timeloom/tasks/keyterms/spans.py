"""Key terms as runs of words: where they stand in a text, and how likely each run is one."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from timeloom.chain import Chain
from timeloom.data import Chunk, Document, Term

KIND = "KEY"
TAGS = ("B-KEY", "I-KEY", "O")
BEGIN, INSIDE, OUTSIDE = range(3)


def occurrences(document: Document) -> list[Chunk]:
    """Where the key terms of a document stand in it, whatever their case; of two that overlap the longer one, of two
    as long the first."""
    words = [word.lower() for word in document.words]
    found: list[Chunk] = []
    taken = [False] * len(words)
    for term in sorted(document.terms, key=len, reverse=True):
        for start in range(len(words) - len(term) + 1):
            end = start + len(term)
            if tuple(words[start:end]) == term and not any(taken[start:end]):
                found.append(Chunk(KIND, start, end))
                taken[start:end] = [True] * len(term)
    return sorted(found, key=lambda chunk: chunk.start)


def standing(document: Document) -> list[Term]:
    """The key terms of a document that stand in it word for word, whatever their case; those inside others, too."""
    words = [word.lower() for word in document.words]
    return [
        term
        for term in dict.fromkeys(document.terms)
        if any(tuple(words[at : at + len(term)]) == term for at in range(len(words) - len(term) + 1))
    ]


def tags_of(document: Document) -> list[int]:
    """A number of TAGS for each word."""
    tags = [OUTSIDE] * len(document.words)
    for chunk in occurrences(document):
        tags[chunk.start : chunk.end] = [BEGIN] + [INSIDE] * (chunk.end - chunk.start - 1)
    return tags


def span_probabilities(chain: Chain, longest: int) -> Tensor:
    """The probability that a key term begins at a word and has just so many words: (B, T, longest).

    P(B at s) · Π P(I at t+1 | tag at t) · P(no I behind | tag at the end): exact, for the tags are a Markov chain.
    Zero where the words do not suffice.
    """
    single, pairs = chain.marginals(), chain.pair_marginals()
    B, T, _ = single.shape
    # The share of a tag's probability that goes on with I: of B, and of I.
    on = [pairs[:, :, tag, INSIDE] / single[:, :-1, tag].clamp(min=1e-30) for tag in (BEGIN, INSIDE)]
    on = [torch.nn.functional.pad(share.clamp(0, 1), (0, 1)) for share in on]  # nothing goes on behind the last word
    lengths = chain.lengths
    found = single.new_zeros(B, T, longest)
    going = single[:, :, BEGIN]  # the term has begun at s and goes on for `length` words
    for length in range(1, longest + 1):
        last = on[0] if length == 1 else torch.roll(on[1], 1 - length, 1)
        fits = torch.arange(T, device=lengths.device) + length <= lengths[:, None]
        found[:, :, length - 1] = torch.where(fits, going * (1 - last), 0.0)
        going = torch.where(fits, going * last, 0.0)
    return found


def ranked_terms(words: Sequence[str], chances: Tensor) -> list[tuple[Term, float]]:
    """Every run of words in a text with the probability that it is a key term anywhere, likeliest first.

    `chances` is (T, longest), as `span_probabilities` has it. Where a run stands several times, it is a key term unless
    it is none each time.
    """
    missed: dict[Term, float] = {}
    values = chances.tolist()
    lowered = [word.lower() for word in words]
    for start, row in enumerate(values[: len(lowered)]):
        for length, chance in enumerate(row, start=1):
            term = tuple(lowered[start : start + length])
            if len(term) == length and any(part[0].isalnum() for part in term):
                missed[term] = missed.get(term, 1.0) * (1.0 - min(chance, 1.0))
    return sorted(((term, 1.0 - none) for term, none in missed.items()), key=lambda pair: (-pair[1], pair[0]))
