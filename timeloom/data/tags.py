"""Tag schemes: how the tags of single tokens spell chunks.

A tag is `O` (outside) or `letter-type`, split at the first dash. With chunks `a b` and `c`, side by side, of one type:

    bio     B-x I-x B-x    every chunk begins with B (IOB2, Ratnaparkhi 1998); what Timeloom works with
    iob1    I-x I-x B-x    B only where the chunk before touches and has the same type (Ramshaw & Marcus 1995)
    ioe2    I-x E-x E-x    every chunk ends with E (Tjong Kim Sang & Veenstra 1999)
    iobes   B-x E-x S-x    the last token is E, a chunk of one token is S
    bilou   B-x L-x U-x    the same with L for E and U for S (Ratinov & Roth 2009)
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from timeloom.core import DataError, UsageError


class Chunk(NamedTuple):
    """The tokens start, ..., end - 1 together are a `type`."""

    type: str
    start: int
    end: int


class Scheme(NamedTuple):
    """Which letters stand inside chunks, which of them only at a chunk's beginning, which only at its end; and what is
    written for a chunk's first, inner and last token, and for one alone."""

    letters: str
    begin: str
    end: str
    written: str


SCHEMES = {
    "bio": Scheme("BI", begin="B", end="", written="BIIB"),
    "iob1": Scheme("BI", begin="B", end="", written="IIII"),  # B where the chunk before touches
    "ioe2": Scheme("IE", begin="", end="E", written="IIEE"),
    "iobes": Scheme("BIES", begin="BS", end="ES", written="BIES"),
    "bilou": Scheme("BILU", begin="BU", end="LU", written="BILU"),
}


LETTERS = "BIESLU"


class Tag(NamedTuple):
    letter: str
    type: str


OUTSIDE = Tag("O", "")


class TagPart(NamedTuple):
    """Something that several tags may have: a letter, a type, a word of a type, or a letter before a word."""

    letter: str = ""
    type: str = ""
    word: str = ""


BETWEEN_WORDS = re.compile(r"[\s!-/:-@\[-^`{-~]+")


def is_tag(text: str) -> bool:
    """Whether `text` is a tag of any scheme."""
    letter, _, name = text.partition("-")
    return text == "O" or (letter in set(LETTERS) and name != "")


def chunks(tags: Sequence[str]) -> list[Chunk]:
    """The chunks that BIO tags spell, read as conlleval reads them.

    An I-x at the start, after O or after another type begins a chunk too. A tag that is neither O, B-x nor I-x is a
    DataError.
    """
    bio, _ = convert(tags, "bio")
    starts = [i for i, tag in enumerate(bio) if tag.letter == "B"]
    found = []
    for start in starts:
        end = start + 1
        while end < len(bio) and bio[end].letter == "I":
            end += 1
        found.append(Chunk(bio[start].type, start, end))
    return found


def guess_scheme(tag_sequences: Iterable[Sequence[str]]) -> str:
    """The scheme that explains most of a corpus: of those that have all its letters, the one with the fewest tags that
    could not stand where they do; of equals the first in SCHEMES."""
    sequences = [tuple(tags) for tags in tag_sequences]
    letters = {split_tag(tag).letter for tag in {tag for tags in sequences for tag in tags}} - {"O"}
    fitting = [name for name, scheme in SCHEMES.items() if letters <= set(scheme.letters)]
    if letters <= set("BI"):
        fitting = ["bio", "iob1"]  # the others would have every chunk closed
    if not fitting:  # whichever is taken, `check_tags` names a tag that is not of it
        return "iobes" if letters & {"E", "S"} else "bilou"
    if len(fitting) == 1:
        return fitting[0]
    seen = Counter(sequences)
    repairs = {name: sum(n * len(convert(tags, name)[1]) for tags, n in seen.items()) for name in fitting}
    return min(fitting, key=lambda name: repairs[name])


def to_bio(tags: Sequence[str], scheme: str) -> tuple[tuple[str, ...], int]:
    """BIO tags, and how many tags were repaired: could not stand after the one before them in `scheme`.

    What continues no chunk begins one; a chunk that a scheme wants closed and is not ends where the next begins.
    Each such tag counts once, and so does the end of a sentence inside a chunk of iobes or bilou.
    """
    bio, repaired = convert(tags, scheme)
    return tuple(map(join_tag, bio)), len(repaired)


def from_bio(tags: Sequence[str], scheme: str) -> tuple[str, ...]:
    """The same chunks in the letters of `scheme`."""
    first, inner, last, alone = find_scheme(scheme).written
    written = ["O"] * len(tags)
    before = Chunk("", 0, 0)
    for chunk in chunks(tags):
        size = chunk.end - chunk.start
        letters = [alone] if size == 1 else [first, *[inner] * (size - 2), last]
        if scheme == "iob1" and before.end == chunk.start and before.type == chunk.type:
            letters[0] = "B"
        written[chunk.start : chunk.end] = [f"{letter}-{chunk.type}" for letter in letters]
        before = chunk
    return tuple(written)


def convert(tags: Sequence[str], scheme: str) -> tuple[list[Tag], list[int]]:
    """BIO tags and the positions of those that were repaired, in order."""
    rules = find_scheme(scheme)
    bio: list[Tag] = []
    repaired: list[int] = []
    previous = OUTSIDE
    for position, text in enumerate(tags):
        tag = split_tag(text, rules.letters)
        if not may_follow(previous, tag, scheme):
            repaired.append(position)
        bio.append(OUTSIDE if tag == OUTSIDE else Tag("I" if continues(previous, tag, rules) else "B", tag.type))
        previous = tag
    if is_open(previous, rules) and len(tags) - 1 not in repaired:
        repaired.append(len(tags) - 1)
    return bio, repaired


def continues(previous: Tag, tag: Tag, rules: Scheme) -> bool:
    """Whether `tag` belongs to the chunk that `previous` stands in."""
    same = tag != OUTSIDE and tag.type == previous.type
    return same and tag.letter not in rules.begin and previous.letter not in rules.end


def may_follow(previous: Tag, tag: Tag, scheme: str) -> bool:
    """Whether the scheme ever writes `tag` directly after `previous`; a sentence begins as if after O."""
    rules = SCHEMES[scheme]
    if scheme == "iob1":
        return tag.letter != "B" or tag.type == previous.type
    if is_open(previous, rules):
        return continues(previous, tag, rules)
    return continues(previous, tag, rules) or tag == OUTSIDE or tag.letter in rules.written[0] + rules.written[3]


def is_open(tag: Tag, rules: Scheme) -> bool:
    """Whether the scheme wants the chunk that `tag` stands in to go on."""
    return rules.end != "" and tag != OUTSIDE and tag.letter not in rules.end


def split_tag(text: str, letters: str = LETTERS) -> Tag:
    """The letter and the type: `B-fromloc.city-name` gives B and fromloc.city-name."""
    if text == "O":
        return OUTSIDE
    letter, _, name = text.partition("-")
    if letter not in set(letters) or not name:
        wanted = ", ".join(f"{letter}-type" for letter in letters)
        raise DataError(
            f"'{text}' is not a tag, wanted O or one of {wanted}.\n"
            "  Check which column holds the tags (--tag_column), and the tag scheme (--scheme; plain takes any tags)."
        )
    return Tag(letter, name)


def join_tag(tag: Tag) -> str:
    return "O" if tag == OUTSIDE else f"{tag.letter}-{tag.type}"


def tag_parts(text: str, plain: bool = False) -> list[TagPart]:
    """What a tag may have in common with others: its letter, its type, and each word of the type, alone and with the
    letter. O has no parts. A tag that is `plain` (`Case=Nom|Number=Sing`) has no letter, only words.

    `B-toloc.city_name` is made of the letter B, the type toloc.city_name, and the words toloc and city_name, each also
    as one that a B stands before. Words end at spaces and at the punctuation of ASCII but for the underscore.
    """
    letter, name = ("", text) if plain else split_tag(text)
    if not name:
        return []
    words = [word for word in BETWEEN_WORDS.split(name) if word]
    if plain:
        return [TagPart(type=name), *(TagPart(word=word) for word in words)]
    return [
        TagPart(letter=letter),
        TagPart(type=name),
        *(TagPart(word=word) for word in words),
        *(TagPart(letter=letter, word=word) for word in words),
    ]


def find_scheme(name: str) -> Scheme:
    if name not in SCHEMES:
        raise UsageError(f"there is no tag scheme '{name}', wanted one of {', '.join(SCHEMES)}")
    return SCHEMES[name]
