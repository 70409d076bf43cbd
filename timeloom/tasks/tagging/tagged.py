"""A sentence with what a tagger makes of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from timeloom.chain import Chain
from timeloom.data import to_bio


@dataclass(frozen=True)
class Tagged:
    """What a tagger makes of one sentence.

    `tags` are BIO that chunks can be read off. `confidences` are the probabilities of the tags, each for itself, and
    `paths` the best ways to tag the whole sentence with their probabilities; both where they were asked for. Paths that
    become the same by being brought to BIO, as those of softmax may, are one, so there can be fewer than were asked
    for. `label` and its probability are there where the tagger learned labels.
    """

    tags: list[str]
    confidences: list[float] | None = None
    paths: list[tuple[list[str], float]] = field(default_factory=list)
    label: str | None = None
    label_probability: float | None = None


def tagged_by(
    chain: Chain,
    tags: Sequence[str],
    label_chances: Tensor | None,
    labels: Sequence[str],
    *,
    confidences: bool,
    paths: int,
    plain: bool = False,
) -> Iterator[Tagged]:
    """Each sentence of a chain over `tags`, with the likeliest of its `labels` where their chances (B, L) are given;
    `plain` tags are given as they are."""
    best = chain.best_path()[0]
    marginals = chain.marginals() if confidences else None
    number_of = {tag: number for number, tag in enumerate(tags)}
    ways: list[dict[tuple[str, ...], float]] = [{} for _ in best]
    if paths:
        found, scores = chain.k_best(paths)
        chances = chain.log_prob(found.clamp(min=0).transpose(0, 1)).T.exp()
        chances = torch.where(scores > -torch.inf, chances, 0.0)
        for merged, *of_sentence in zip(ways, found.tolist(), chances.tolist(), strict=True):
            for way, chance in zip(*of_sentence, strict=True):
                if chance > 0:
                    as_bio = tuple(named(way, tags, plain))
                    merged[as_bio] = merged.get(as_bio, 0.0) + chance
    for row, path in enumerate(best.tolist()):
        found_tags = named(path, tags, plain)
        sure = None
        if marginals is not None:
            known = [number_of.get(tag) for tag in found_tags]  # a repaired tag may be one that training never had
            sure = [0.0 if k is None else float(marginals[row, t, k]) for t, k in enumerate(known)]
        tagged = Tagged(found_tags, sure, [(list(way), chance) for way, chance in ways[row].items()])
        if label_chances is not None:
            chance, label = label_chances[row].max(-1)
            tagged = replace(tagged, label=labels[int(label)], label_probability=float(chance))
        yield tagged


def named(path: Sequence[int], tags: Sequence[str], plain: bool) -> list[str]:
    """The tags of a path whose padding is -1, as BIO that chunks can be read off unless they are plain."""
    found = [tags[k] for k in path if k >= 0]
    return found if plain else list(to_bio(found, "bio")[0])
