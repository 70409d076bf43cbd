"""The shipped corpus: travel requests from a small grammar, with slots departure, destination, stopover and time.

It asks for what recurrence is for. `leave Taipei on November 2nd` and `arrive Taipei on November 2nd` want different
slots for one word; most requests name two cities in either order with the same words around, so that neither a word
alone nor the bag of its sentence's words tells them apart; every city plays every part, or none ("my sister lives in
Oslo", "not to Oslo but to Lima", "the Oslo Hotel"); and the verb that decides may stand far away, on either side.

The words stand in `timeloom.data.travel_words`.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import TypeVar

from timeloom.core import UsageError
from timeloom.core.files import make_folder, write_whole
from timeloom.data import travel_words as w
from timeloom.data.sentence import Sentence

SIZES = {"train": 1600, "valid": 250, "test": 400}
SLOTS = {"D": "departure", "A": "destination", "S": "stopover"}
LECTURE_SENTENCES = {"arrive Taipei on November 2nd": "destination", "leave Taipei on November 2nd": "departure"}

Choice = TypeVar("Choice")

Tagged = list[tuple[str, str]]
"""Tokens with their tags."""


def travel_corpus(seed: int = 1) -> dict[str, list[Sentence]]:
    """Sentences of "train" (1600), "valid" (250) and "test" (400), all different; the same for a seed everywhere.

    Of the test sentences half have only cities that train and valid never name, and, crosswise, half have a pattern
    (carrier, route and extras together) that train and valid never have. The first two are the lecture's, `arrive
    Taipei on November 2nd` and `leave Taipei on November 2nd`, whose pattern train has with other dates and cities.
    """
    if seed < 0:
        raise UsageError(f"seed is {seed}, wanted 0 or more")
    grammar = Grammar(seed)
    lecture = [
        Sentence(tuple(text.split()), ("O", f"B-{slot}", "O", "B-time", "I-time"))
        for text, slot in LECTURE_SENTENCES.items()
    ]
    corpus: dict[str, list[Sentence]] = {"train": [], "valid": [], "test": list(lecture)}
    made = {sentence.tokens for sentence in lecture}
    for split, sentences in corpus.items():
        while len(sentences) < SIZES[split]:
            new_cities = split == "test" and len(sentences) % 2 == 1
            new_pattern = split == "test" and len(sentences) % 4 >= 2
            sentence = grammar.sentence(w.TEST_CITIES if new_cities else w.TRAIN_CITIES, new_pattern)
            if sentence.tokens not in made:
                made.add(sentence.tokens)
                sentences.append(sentence)
    return corpus


def write_travel_corpus(folder: str | Path, seed: int = 1) -> list[Path]:
    """Write train.conll, valid.conll and test.conll (token TAB tag); return their paths. RunError where it cannot."""
    folder = Path(folder)
    make_folder(folder)
    paths = []
    for split, sentences in travel_corpus(seed).items():
        path = folder / f"{split}.conll"
        write_whole(
            path, conll_text(sentences, f"# made by timeloom.data.travel_corpus(seed={seed}), {split}").encode()
        )
        paths.append(path)
    return paths


def conll_text(sentences: Sequence[Sentence], comment: str) -> str:
    blocks = [
        "\n".join(f"{token}\t{tag}" for token, tag in zip(s.tokens, s.tags or (), strict=True)) for s in sentences
    ]
    return f"{comment}\n" + "\n\n".join(blocks) + "\n"


def patterns(held_out: bool) -> list[list[str]]:
    """The patterns of train, or those that only test has, in three families: noun, verb and clause.

    A pattern is held out by the sum of its parts' places, so that each part by itself occurs in train.
    """
    families = []
    for carriers, routes, extras in [
        (w.NOUN_CARRIERS, w.NOUN_ROUTES, w.EXTRAS),
        (w.VERB_CARRIERS, w.VERB_ROUTES, w.EXTRAS),
        (("",), w.CLAUSES, w.ENDINGS),
    ]:
        family = []
        for carrier, route, extra in product(carriers, routes, extras):
            # .index and not the count: what is listed twice, to come up twice as often, has one place all the same.
            place = carriers.index(carrier) + routes.index(route) + extras.index(extra)
            if (place % 6 == 5) == held_out and not ("{T}" in route and "{T}" in extra):
                family.append(" ".join(f"{carrier} {route} {extra}".split()))
        families.append(family)
    return families


class Grammar:
    """Draws sentences. Only `random()` is called, the one draw that Python promises never to change for a seed."""

    def __init__(self, seed: int):
        self.random = random.Random(seed).random
        self.patterns = {held_out: patterns(held_out) for held_out in (False, True)}

    def sentence(self, cities: Sequence[str], held_out: bool) -> Sentence:
        noun, verb, clause = self.patterns[held_out]
        pattern = self.pick(self.pick((noun, noun, verb, verb, clause)))
        if self.random() < 0.2:
            pattern = f"{self.pick(w.DISTRACTORS_BEFORE)} {pattern}"
        elif self.random() < 0.5:
            pattern = pattern[0].upper() + pattern[1:]
        if self.random() < 0.15:
            pattern = f"{pattern} {self.pick(w.DISTRACTORS_AFTER)}"
        tokens, tags = zip(*self.fill(pattern, cities), strict=True)
        return Sentence(tokens, tags)

    def fill(self, pattern: str, cities: Sequence[str]) -> Tagged:
        """The pattern with different cities, and times, in its places."""
        tagged: Tagged = []
        used: set[str] = set()
        for word in pattern.split():
            if word == "{T}":
                tagged += self.time()
            elif word.startswith("{"):
                city = self.pick([city for city in cities if city not in used])
                used.add(city)
                tagged += chunk(city, SLOTS.get(word[1]))
            else:
                tagged.append((word, "O"))
        return tagged

    def time(self) -> Tagged:
        """A time with its preposition: on a date, at an hour, both, or a word like tomorrow."""
        kind = self.random()
        if kind < 0.2:
            return chunk(self.pick(w.RELATIVE_DAYS), "time")
        if kind < 0.3:
            return chunk(f"next {self.pick(w.WEEKDAYS)}", "time")
        day = [("on", "O"), *chunk(self.day(), "time")] if kind < 0.8 else []
        hour = [(self.pick(w.CLOCK_PREPOSITIONS), "O"), *chunk(self.hour(), "time")] if kind > 0.7 else []
        return day + hour

    def day(self) -> str:
        kind = self.random()
        if kind < 0.5:
            return f"{self.pick(w.MONTHS)} {self.pick(w.ORDINALS)}"
        if kind < 0.7:
            return f"the {self.pick(w.ORDINALS)} of {self.pick(w.MONTHS)}"
        return self.pick(w.WEEKDAYS) + ("" if kind < 0.85 else f" {self.pick(w.DAY_PARTS)}")

    def hour(self) -> str:
        if self.random() < 0.2:
            return self.pick(("noon", "midnight"))
        return f"{self.pick(w.HOURS)} {self.pick(('am', 'pm'))}"

    def pick(self, choices: Sequence[Choice]) -> Choice:
        return choices[int(self.random() * len(choices))]


def chunk(text: str, slot: str | None) -> Tagged:
    first, *others = text.split()
    if slot is None:
        return [(word, "O") for word in (first, *others)]
    return [(first, f"B-{slot}"), *[(word, f"I-{slot}") for word in others]]
