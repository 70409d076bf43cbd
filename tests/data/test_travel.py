"""The shipped corpus: what it promises of itself. (That order-blind models fail on it is tested with the tagger.)"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from timeloom.core import RunError, UsageError
from timeloom.data import Sentence, chunks, normalise, read_tagged, to_bio, travel_corpus, write_travel_corpus
from timeloom.data.travel import patterns
from timeloom.data.travel_words import TEST_CITIES, TRAIN_CITIES

CORPUS = travel_corpus()
SLOTS = ("destination", "departure", "stopover", "time")
SHA256 = {
    "train.conll": "95bde023566d06914d87de0a47112acee762e2bd65d5b942b497b6b6d3428e80",
    "valid.conll": "42bae26a0fbe04279c67f1b0f49905b58fd56237c749a514db346a491151f9ce",
    "test.conll": "1426440c5e50bfe4f9468532dba53c2308baf6e45f7b2887fe1519384b7decfa",
}


def slots(sentence: Sentence) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for chunk in chunks(sentence.tags or ()):
        found[chunk.type].append(" ".join(sentence.tokens[chunk.start : chunk.end]))
    return found


def cities(sentence: Sentence) -> set[str]:
    return {city for slot in SLOTS[:3] for city in slots(sentence)[slot]}


def shape(sentence: Sentence) -> str:
    """The sentence with slot names in the place of their words."""
    tags = sentence.tags or ()
    return " ".join(
        word if tag == "O" else f"<{tag[2:]}>" for word, tag in zip(sentence.tokens, tags, strict=True) if tag[0] != "I"
    )


def test_sizes_and_no_sentence_twice() -> None:
    assert {split: len(sentences) for split, sentences in CORPUS.items()} == {"train": 1600, "valid": 250, "test": 400}
    assert len({sentence.tokens for sentences in CORPUS.values() for sentence in sentences}) == 2250


def test_all_tags_are_bio_of_the_four_slots() -> None:
    for sentences in CORPUS.values():
        for sentence in sentences:
            assert to_bio(sentence.tags or (), "bio") == (sentence.tags, 0)
        assert {slot for sentence in sentences for slot in slots(sentence)} == set(SLOTS)


def test_many_patterns_and_cities() -> None:
    shapes = Counter(shape(sentence) for sentence in CORPUS["train"])
    assert len(shapes) > 500
    assert len(TRAIN_CITIES) >= 60
    assert len(TEST_CITIES) >= 25
    for names in (TRAIN_CITIES, TEST_CITIES):
        assert {len(name.split()) for name in names} == {1, 2, 3}
    assert not set(TRAIN_CITIES) & set(TEST_CITIES)


def test_most_sentences_name_two_cities_in_either_order() -> None:
    first: Counter[str] = Counter()
    for sentence in CORPUS["train"]:
        ends = [chunk.type for chunk in chunks(sentence.tags or ()) if chunk.type in SLOTS[:2]]
        if len(ends) == 2:
            first[ends[0]] += 1
    assert sum(first.values()) > 0.75 * 1600
    assert min(first.values()) > 0.4 * sum(first.values())


def test_most_pairs_of_cities_say_nothing_about_their_order() -> None:
    """The same other words occur with departure first and with destination first: a bag of words cannot tell."""
    orders: dict[tuple[str, ...], set[str]] = defaultdict(set)
    bags = []
    for family in patterns(held_out=False)[:2]:
        for pattern in family:
            if "{D}" in pattern and "{A}" in pattern:
                bag = tuple(sorted(pattern.split()))
                orders[bag].add(
                    "departure first" if pattern.index("{D}") < pattern.index("{A}") else "destination first"
                )
                bags.append(bag)
    assert sum(len(orders[bag]) == 2 for bag in bags) > 0.6 * len(bags)


def test_every_city_plays_every_part_and_none() -> None:
    parts: dict[str, set[str]] = defaultdict(set)
    for sentence in CORPUS["train"]:
        for slot, names in slots(sentence).items():
            for name in names:
                parts[name].add(slot)
        outside = " ".join(w if t == "O" else "|" for w, t in zip(sentence.tokens, sentence.tags or (), strict=True))
        for city in TRAIN_CITIES:
            if f" {city} " in f" {outside} ":
                parts[city].add("none")
    lacking = [city for city in TRAIN_CITIES if not parts[city] >= {*SLOTS[:3], "none"}]
    assert len(lacking) < 0.1 * len(TRAIN_CITIES), lacking
    assert not [city for city in TRAIN_CITIES if not parts[city] >= {*SLOTS[:2]}]


def test_half_of_the_test_cities_are_new() -> None:
    known = set(TRAIN_CITIES)
    for split in ("train", "valid"):
        assert all(cities(sentence) <= known for sentence in CORPUS[split])
        text = " | ".join(" ".join(sentence.tokens) for sentence in CORPUS[split])
        assert not [city for city in TEST_CITIES if f" {city} " in f" {text} "]
    new = [sentence for sentence in CORPUS["test"] if cities(sentence) and cities(sentence) <= set(TEST_CITIES)]
    assert 195 <= len(new) <= 205


def test_held_out_patterns_are_new_but_their_parts_are_not() -> None:
    kept, held_out = patterns(held_out=False), patterns(held_out=True)
    for known, new in zip(kept, held_out, strict=True):
        assert len(known) > 60
        assert new
        assert not set(known) & set(new)
        words = {word for pattern in known for word in pattern.split()}
        assert {word for pattern in new for word in pattern.split()} <= words


@pytest.mark.parametrize(("verb", "slot"), [("arrive", "destination"), ("leave", "departure")])
def test_the_lecture_sentences_are_unseen_but_their_pattern_is_not(verb: str, slot: str) -> None:
    tokens = (verb, "Taipei", "on", "November", "2nd")
    assert Sentence(tokens, ("O", f"B-{slot}", "O", "B-time", "I-time")) in CORPUS["test"]
    assert f"{verb} {{{'A' if slot == 'destination' else 'D'}}} {{T}}" in patterns(held_out=False)[2]
    alike = [s for s in CORPUS["train"] if shape(s).lower() == f"{verb} <{slot}> on <time>"]
    assert len(alike) >= 10
    assert any(slots(sentence)[slot] == ["Taipei"] for sentence in CORPUS["train"])


def test_words_that_mislead() -> None:
    text = [" ".join(sentence.tokens) for sentence in CORPUS["train"]]
    for phrase in ("Hotel", "guidebook", "not to", "My sister lives in", "between"):
        assert sum(phrase in line for line in text) >= 10, phrase
    far = [s for s in CORPUS["train"] if "as early as we can" in " ".join(s.tokens)]
    assert len(far) >= 10


def test_the_same_bytes_everywhere(tmp_path: Path) -> None:
    paths = write_travel_corpus(tmp_path / "a" / "b")
    assert {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths} == SHA256


def test_what_is_written_reads_back(tmp_path: Path) -> None:
    for path in write_travel_corpus(tmp_path):
        assert path.read_text(encoding="utf-8").startswith("# made by timeloom")
        back = normalise(read_tagged(path), strict=True)
        assert back.scheme == "bio"
        assert [(s.tokens, s.tags) for s in back.sentences] == [(s.tokens, s.tags) for s in CORPUS[path.stem]]


def test_another_seed_is_another_corpus() -> None:
    assert travel_corpus(2)["train"] != CORPUS["train"]
    with pytest.raises(UsageError, match="seed is -1"):
        travel_corpus(-1)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="cannot make the folder"):
        write_travel_corpus(tmp_path / "file" / "corpus")
