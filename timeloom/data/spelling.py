"""How the tags of a file are spelt: `B-city` in most, and in others `b-city`, `B_city`, `city-B`, or `B` alone.

letter first    B-city, b-city, B_city, B:city; o or 0 for O
letter last     city-B, city_B
letters alone   B, I, O: one type of chunk, which is named `chunk`
M and W         B M E S and B M E W of Chinese word segmentation: I and S here
types alone     city, O ("io"): every run of one type is a chunk. Only where it is asked for: parts of speech look so
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from timeloom.data.tags import LETTERS, is_tag

ALONE = "chunk"
"""The type of chunks in a file whose tags name none."""

OTHER_LETTERS = {"M": "I", "W": "S"}


class Spelling(NamedTuple):
    """How each tag of a file reads as a letter, a dash and a type; `told` is what to say of it, if anything."""

    tags: Mapping[str, str]
    told: str | None = None


def spelling_of(tags: Collection[str], runs: bool = False) -> Spelling | None:
    """The spelling that fits every one of the different tags of a file; None where none does.

    Args:
        runs: Whether types may stand alone (the scheme "io").
    """
    if all(map(is_tag, tags)):
        return Spelling({tag: tag for tag in tags})
    ways = [letters_alone(tags)] if runs and set(tags) <= {"0", "1"} else []
    ways += [letter_first(tags), letter_last(tags), letters_alone(tags), types_alone(tags) if runs else None]
    for way in ways:
        if way is not None:
            example = next(tag for tag in sorted(tags) if way[tag] != tag)
            told = f"its tags are spelt in another way: {example} is read as {way[example]}"
            return Spelling(way, told + " (--scheme plain leaves all as they are)")
    return None


def looks_like_a_tag(text: str) -> bool:
    """Whether `text` is a letter and a type in one of the spellings, or O."""
    return text in ("O", "o") or letter_first([text]) is not None or letter_last([text]) is not None


def letter_first(tags: Collection[str]) -> dict[str, str] | None:
    for separator in "-_:":
        if way := every(tags, {tag: joined(*split_at(tag, separator)) for tag in tags}):
            return way
    return None


def letter_last(tags: Collection[str]) -> dict[str, str] | None:
    for separator in "-_":
        if way := every(tags, {tag: joined(*reversed(tag.rpartition(separator)[::2])) for tag in tags}):
            return way
    return None


def split_at(tag: str, separator: str) -> tuple[str, str]:
    letter, _, name = tag.partition(separator)
    return letter, name


def joined(letter: str, name: str) -> str:
    letter = OTHER_LETTERS.get(letter.upper(), letter.upper())
    return f"{letter}-{name}" if len(letter) == 1 and letter in LETTERS and name else ""


def every(tags: Collection[str], found: dict[str, str]) -> dict[str, str] | None:
    """The readings, with those of O; None where a tag has none, or where there is nothing but O."""
    outside = {tag: "O" for tag in tags if tag in ("O", "o", "0")}
    whole = {**found, **outside}
    return whole if all(whole.values()) and len(outside) < len(whole) and len(outside) < 2 else None


def letters_alone(tags: Collection[str]) -> dict[str, str] | None:
    """Readings of B, I and O, of I and O, of the four letters of word segmentation, and of 1 and 0."""
    upper = {tag: OTHER_LETTERS.get(tag.upper(), tag.upper()) for tag in tags}
    letters = set(upper.values())
    if set(tags) == {"0", "1"}:
        return {"0": "O", "1": f"I-{ALONE}"}
    chunked = letters >= {"I", "O"} or letters >= {"B", "O"} or letters >= {"B", "I"} or letters >= {"B", "E"}
    if not chunked or len(letters) < len(tags) or not letters <= {*LETTERS, "O"}:
        return None
    return {tag: "O" if letter == "O" else f"{letter}-{ALONE}" for tag, letter in upper.items()}


def types_alone(tags: Collection[str]) -> dict[str, str]:
    return {tag: "O" if tag in ("O", "o", "0", "_") else tag if is_tag(tag) else f"I-{tag}" for tag in tags}
