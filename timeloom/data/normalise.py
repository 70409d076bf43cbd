"""The tags of a whole file in one scheme: guessed, checked, repaired."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from timeloom.core import DataError
from timeloom.data.sentence import Sentence
from timeloom.data.spelling import Spelling, looks_like_a_tag, spelling_of
from timeloom.data.tags import (
    LETTERS,
    OUTSIDE,
    convert,
    find_scheme,
    guess_scheme,
    is_open,
    join_tag,
    may_follow,
    split_tag,
)

PLAIN = "plain"
"""The scheme without rules: every tag for itself, as parts of speech are."""


@dataclass(frozen=True)
class Normalised:
    """Sentences in BIO, or with tags as they were where the scheme is "plain"; the scheme they came in, what had to be
    repaired (with the line of each repair), and what is to be said of how tags are spelt."""

    sentences: list[Sentence]
    scheme: str
    repairs: int
    first_repair: str | None
    lines: list[int] = field(default_factory=list)
    told: str | None = None


def normalise(
    sentences: Sequence[Sentence],
    scheme: str = "guess",
    strict: bool = False,
    path: str | Path | None = None,
    plain: bool | None = None,
) -> Normalised:
    """Bring all sentences to BIO.

    Args:
        scheme: "guess", a name in SCHEMES, "io" (every run of one type is a chunk), or "plain", which leaves all tags
            as they are.
        strict: Refuse the first tag that could not stand where it stands, with file, line and token; without, it is
            repaired as `to_bio` says and counted.
        path: The file that messages name.
        plain: Whether a guess may be "plain": None for both, else it must be or must not.
    """
    seen: Counter[str] = Counter()
    for sentence in sentences:
        if sentence.tags is None:
            raise DataError("the sentence has no tags, one for each token was wanted", path, sentence.line)
        seen.update(sentence.tags)
    if scheme == PLAIN or (scheme == "guess" and (plain or (plain is None and is_plain(seen)))):
        told = None if scheme == PLAIN or plain else told_of_plain(seen, path)
        return Normalised(list(sentences), PLAIN, 0, None, told=told)
    spelling = spelling_of(seen, runs=scheme == "io")
    sentences = spelt(sentences, spelling)
    named, scheme = scheme, "iob1" if scheme == "io" else scheme
    for sentence in sentences:
        check_tags(sentence, scheme, path)
    if scheme == "guess":
        scheme = guess_scheme(sentence.tags or () for sentence in sentences)
        for sentence in sentences:
            check_tags(sentence, scheme, path, guessed=True)
    told = None if spelling is None else spelling.told
    return replace(repaired(sentences, scheme, strict, path), scheme="io" if named == "io" else scheme, told=told)


def is_plain(seen: Counter[str]) -> bool:
    """Whether tags are no chunks: they have no common spelling, and of what is not O less than half looks like one."""
    if not seen or spelling_of(seen) is not None:
        return False
    others = {tag: count for tag, count in seen.items() if tag not in ("O", "o")}
    return 2 * sum(count for tag, count in others.items() if looks_like_a_tag(tag)) < sum(others.values())


def told_of_plain(seen: Counter[str], path: str | Path | None) -> str:
    """What to say where nobody asked for plain tags. Raises DataError where so many differ that they are none."""
    common = ", ".join(f"{tag} ({count})" for tag, count in seen.most_common(4))
    if 2 * len(seen) > seen.total() >= 40:
        raise DataError(
            f"{len(seen)} different tags on {seen.total()} tokens, the most frequent {common}: these are hardly tags.\n"
            "  Name the column of the tags (--tag_column), or take them as they are by --scheme plain.",
            path,
        )
    runs = "; if runs of one tag are chunks, say --scheme io" if {"O", "0"} & set(seen) else ""
    return f"its tags are not chunks but one for each token, {len(seen)} different ones: {common}{runs}"


def spelt(sentences: Sequence[Sentence], spelling: Spelling | None) -> list[Sentence]:
    """The sentences with the tags of a spelling as letters, dashes and types."""
    if spelling is None or spelling.told is None:
        return list(sentences)
    return [replace(one, tags=tuple(spelling.tags[tag] for tag in one.tags or ())) for one in sentences]


def repaired(sentences: Sequence[Sentence], scheme: str, strict: bool, path: str | Path | None) -> Normalised:
    done, repairs, first = [], 0, None
    lines: list[int] = []
    for sentence in sentences:
        assert sentence.tags is not None
        bio, wrong = convert(sentence.tags, scheme)
        if wrong and strict:
            raise DataError(
                f"{describe(sentence, wrong[0], scheme)}.\n  Mend the file, or read it without strict tags.",
                path,
                sentence.line_of(wrong[0]),
            )
        if wrong and first is None:
            text = f"{describe(sentence, wrong[0], scheme)}; read as {join_tag(bio[wrong[0]])}"
            first = str(DataError(text, path, sentence.line_of(wrong[0])))
        lines += [line for position in wrong if (line := sentence.line_of(position)) is not None]
        repairs += len(wrong)
        done.append(replace(sentence, tags=tuple(map(join_tag, bio))))
    return Normalised(done, scheme, repairs, first, lines)


def describe(sentence: Sentence, position: int, scheme: str) -> str:
    """Why the tag at `position` cannot stand there: token, tag, what stands before, what was wanted."""
    assert sentence.tags is not None
    rules = find_scheme(scheme)
    tag = split_tag(sentence.tags[position])
    previous = split_tag(sentence.tags[position - 1]) if position else OUTSIDE
    before = f"after {sentence.tags[position - 1]}" if position else "at the start of the sentence"
    if may_follow(previous, tag, scheme):  # so the end of the sentence is what does not follow
        before = "at the end of the sentence"
        wanted = f"{rules.written[2 if is_open(previous, rules) else 3]}-{tag.type}"
    elif scheme == "iob1":
        wanted = f"I-{tag.type}, for B- only parts two chunks of one type"
    elif is_open(previous, rules):
        wanted = f"I-{previous.type} or {rules.written[2]}-{previous.type}"
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
