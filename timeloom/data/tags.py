"""Tag schemes: how the tags of single tokens spell chunks.

A tag is `O` (outside) or `letter-type`, split at the first dash. With chunks `a b` and `c`, side by side, of one type:

    bio     B-x I-x B-x    every chunk begins with B (IOB2, Ratnaparkhi 1998); what Timeloom works with
    iob1    I-x I-x B-x    B only where the chunk before touches and has the same type (Ramshaw & Marcus 1995)
    iobes   B-x E-x S-x    the last token is E, a chunk of one token is S
    bilou   B-x L-x U-x    the same with L for E and U for S (Ratinov & Roth 2009)
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from timeloom.core import DataError, UsageError
from timeloom.data.sentence import Sentence


class Chunk(NamedTuple):
    """The tokens start, ..., end - 1 together are a `type`."""

    type: str
    start: int
    end: int


class Scheme(NamedTuple):
    """Which letters stand inside chunks, which of them only at a chunk's beginning, which only at its end."""

    letters: str
    begin: str
    end: str


SCHEMES = {
    "bio": Scheme("BI", begin="B", end=""),
    "iob1": Scheme("BI", begin="B", end=""),
    "iobes": Scheme("BIES", begin="BS", end="ES"),
    "bilou": Scheme("BILU", begin="BU", end="LU"),
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
    """The scheme that the tags of a corpus are written in.

    Any E- or S- says iobes, else any L- or U- says bilou. B, I and O alone are iob1 when some chunk begins with I and
    no B begins one but directly after a chunk of its own type; in every other case they are bio.
    """
    sequences = [[split_tag(tag) for tag in tags] for tags in tag_sequences]
    letters = {tag.letter for tags in sequences for tag in tags}
    if letters & {"E", "S"}:
        return "iobes"
    if letters & {"L", "U"}:
        return "bilou"
    inside_begins = False
    for tags in sequences:
        for previous, tag in pairwise([OUTSIDE, *tags]):
            if tag.letter == "B" and previous.type != tag.type:
                return "bio"
            inside_begins |= tag.letter == "I" and previous.type != tag.type
    return "iob1" if inside_begins else "bio"


def to_bio(tags: Sequence[str], scheme: str) -> tuple[tuple[str, ...], int]:
    """BIO tags, and how many tags were repaired: could not stand after the one before them in `scheme`.

    What continues no chunk begins one; a chunk that a scheme wants closed and is not ends where the next begins.
    Each such tag counts once, and so does the end of a sentence inside a chunk of iobes or bilou.
    """
    bio, repaired = convert(tags, scheme)
    return tuple(map(join_tag, bio)), len(repaired)


def from_bio(tags: Sequence[str], scheme: str) -> tuple[str, ...]:
    """The same chunks in the letters of `scheme`."""
    letters = find_scheme(scheme).letters
    written = ["O"] * len(tags)
    before = Chunk("", 0, 0)
    for chunk in chunks(tags):
        last = chunk.end - 1
        for i in range(chunk.start, chunk.end):
            written[i] = f"I-{chunk.type}"
        touches = before.end == chunk.start and before.type == chunk.type
        if scheme != "iob1" or touches:
            written[chunk.start] = f"B-{chunk.type}"
        if len(letters) == 4:  # BIES or BILU
            written[last] = f"{letters[3] if chunk.start == last else letters[2]}-{chunk.type}"
        before = chunk
    return tuple(written)


@dataclass(frozen=True)
class Normalised:
    """Sentences in BIO, the scheme they came in, and what had to be repaired."""

    sentences: list[Sentence]
    scheme: str
    repairs: int
    first_repair: str | None


def normalise(
    sentences: Sequence[Sentence], scheme: str = "guess", strict: bool = False, path: str | Path | None = None
) -> Normalised:
    """Bring all sentences to BIO; `scheme` is "guess" or a name in SCHEMES, `path` the file that messages name.

    With `strict` the first tag that could not stand where it stands is a DataError with file, line and token; without,
    it is repaired as `to_bio` says and counted.
    """
    for sentence in sentences:
        check_tags(sentence, scheme, path)
    if scheme == "guess":
        scheme = guess_scheme(sentence.tags or () for sentence in sentences)
        for sentence in sentences:
            check_tags(sentence, scheme, path, guessed=True)
    done, repairs, first = [], 0, None
    for sentence in sentences:
        assert sentence.tags is not None
        bio, repaired = convert(sentence.tags, scheme)
        if repaired and strict:
            raise DataError(
                f"{describe(sentence, repaired[0], scheme)}.\n  Mend the file, or read it without strict tags.",
                path,
                sentence.line_of(repaired[0]),
            )
        if repaired and first is None:
            text = f"{describe(sentence, repaired[0], scheme)}; read as {join_tag(bio[repaired[0]])}"
            first = str(DataError(text, path, sentence.line_of(repaired[0])))
        repairs += len(repaired)
        done.append(replace(sentence, tags=tuple(map(join_tag, bio))))
    return Normalised(done, scheme, repairs, first)


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
    return continues(previous, tag, rules) or tag == OUTSIDE or tag.letter in rules.begin


def is_open(tag: Tag, rules: Scheme) -> bool:
    """Whether the scheme wants the chunk that `tag` stands in to go on."""
    return rules.end != "" and tag != OUTSIDE and tag.letter not in rules.end


def describe(sentence: Sentence, position: int, scheme: str) -> str:
    """Why the tag at `position` cannot stand there: token, tag, what stands before, what was wanted."""
    assert sentence.tags is not None
    rules = find_scheme(scheme)
    tag = split_tag(sentence.tags[position])
    previous = split_tag(sentence.tags[position - 1]) if position else OUTSIDE
    before = f"after {sentence.tags[position - 1]}" if position else "at the start of the sentence"
    if may_follow(previous, tag, scheme):  # so the end of the sentence is what does not follow
        before = "at the end of the sentence"
        wanted = f"{rules.letters[2]}-{tag.type}" if is_open(previous, rules) else f"{rules.letters[3]}-{tag.type}"
    elif scheme == "iob1":
        wanted = f"I-{tag.type}, for B- only parts two chunks of one type"
    elif is_open(previous, rules):
        wanted = f"I-{previous.type} or {rules.letters[2]}-{previous.type}"
    else:
        wanted = " or ".join(f"{letter}-{tag.type}" for letter in rules.begin)
    token = f"token {position + 1}, '{sentence.tokens[position]}'"
    return f"{token}, has the tag {sentence.tags[position]} {before}, wanted in {scheme}: {wanted}"


def check_tags(sentence: Sentence, scheme: str, path: str | Path | None, guessed: bool = False) -> None:
    """Raise a DataError with file and line unless the sentence has tags, each of them one of `scheme`'s; `guessed` says
    that nobody named it."""
    if sentence.tags is None:
        raise DataError("the sentence has no tags, one for each token was wanted", path, sentence.line)
    letters = LETTERS if scheme == "guess" else find_scheme(scheme).letters
    for position, text in enumerate(sentence.tags):
        try:
            split_tag(text, letters)
        except DataError as error:
            token = f"token {position + 1}, '{sentence.tokens[position]}'"
            why = f"\n  The scheme was guessed: other tags of the file are of {scheme} only." if guessed else ""
            raise DataError(f"{token}: {error}{why}", path, sentence.line_of(position)) from None


def split_tag(text: str, letters: str = LETTERS) -> Tag:
    """The letter and the type: `B-fromloc.city-name` gives B and fromloc.city-name."""
    if text == "O":
        return OUTSIDE
    letter, _, name = text.partition("-")
    if letter not in set(letters) or not name:
        wanted = ", ".join(f"{letter}-type" for letter in letters)
        raise DataError(
            f"'{text}' is not a tag, wanted O or one of {wanted}.\n"
            "  Check which column holds the tags, and the tag scheme."
        )
    return Tag(letter, name)


def join_tag(tag: Tag) -> str:
    return "O" if tag == OUTSIDE else f"{tag.letter}-{tag.type}"


def tag_parts(text: str) -> list[TagPart]:
    """What a tag may have in common with others: its letter, its type, and each word of the type, alone and with the
    letter. O has no parts.

    `B-toloc.city_name` is made of the letter B, the type toloc.city_name, and the words toloc and city_name, each also
    as one that a B stands before. Words end at spaces and at the punctuation of ASCII but for the underscore.
    """
    letter, name = split_tag(text)
    if not name:
        return []
    words = [word for word in BETWEEN_WORDS.split(name) if word]
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
