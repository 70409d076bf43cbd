"""Raw text → sentences of tokens, as a corpus has them.

A corpus says by its tokens how it was split: whether signs stand alone, whether `'s` does, which abbreviations keep
their dot, whether `#tag` is one token or two. `learn_splitting` reads that off; `Splitting.split` does the same to
other text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from timeloom.data.sentence import Sentence

TERMINATORS = frozenset(".!?…。！？।؟")
FULL_WIDTH = frozenset("。！？")  # no blank stands behind these
CLOSERS = frozenset("\"'”’»)]}''」』）")
KEPT_INSIDE = frozenset("-'’._&/@+·*")  # between two letters; what else stands there is taken out
KEPT_IN_NUMBERS = KEPT_INSIDE | frozenset(",:")
IN_RUNS = frozenset(".-…")  # ... and -- are one token
APOSTROPHES = frozenset("'’")
ADDRESS = re.compile(r"(?:https?://|www\.)\S*\w/?|[\w.+-]+@[\w-]+(?:\.[\w-]+)+", re.IGNORECASE)
DOTTED = re.compile(r"(?:[^\W\d_]\.)+[^\W\d_]?\.?")  # U.S., e.g., J.
IDEOGRAPHS = "㐀-䶿一-鿿豈-﫿"
IDEOGRAPH = re.compile(f"[{IDEOGRAPHS}]")

Known = Callable[[str], bool]

Split = Callable[[str, int | None], list[Sentence]]
"""What makes sentences of a raw text that begins on a line of a file."""


class TextToken(NamedTuple):
    """A token, and where in its text it stands: `text[start:end]`, in characters."""

    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Splitting:
    """How raw text is split.

    Args:
        punctuation: Whether signs are tokens of their own; else tokens are what stands between blanks.
        sentences: Whether a text is split into sentences, too; only where signs are tokens.
        leading: Signs that stay with a word they stand before, as in #tag.
        trailing: Signs that stay with a word they stand behind, as in 5%.
        apart: Signs that stand alone even between two letters: well - known.
        ideographs: Whether every Chinese character is a token.
    """

    punctuation: bool = True
    sentences: bool = True
    leading: str = ""
    trailing: str = ""
    apart: str = ""
    ideographs: bool = False

    def split(self, text: str, known: Known = lambda token: False) -> list[list[TextToken]]:
        """The sentences of a text, none of them empty. What is `known` as a token is not taken apart."""
        pieces = list(re.finditer(r"\S+", text))
        if not self.punctuation:
            tokens = [TextToken(piece[0], *piece.span()) for piece in pieces]
            return [tokens] if tokens else []
        cutter = Cutter(self, known)
        tokens = [
            TextToken(text[piece.start() + begin : piece.start() + end], piece.start() + begin, piece.start() + end)
            for number, piece in enumerate(pieces)
            for begin, end in cutter.cut(piece[0], number == len(pieces) - 1)
        ]
        return list(sentences_of(tokens, text)) if self.sentences else [tokens] if tokens else []


AT_BLANKS = Splitting(punctuation=False)


def sentences_in(text: str, splitting: Splitting, known: Known, line: int | None = None) -> list[Sentence]:
    """The sentences of a raw text, with the offsets of their tokens."""
    return [
        Sentence(
            tuple(token.text for token in tokens),
            line=line,
            text=text,
            offsets=tuple((token.start, token.end) for token in tokens),
        )
        for tokens in splitting.split(text, known)
    ]


def split_at_blanks(text: str, line: int | None = None) -> list[Sentence]:
    """The text as one sentence of what stands between blanks."""
    return sentences_in(text, AT_BLANKS, lambda token: False, line)


@dataclass(frozen=True)
class Cutter:
    """Takes signs and clitics off what stands between two blanks."""

    splitting: Splitting
    known: Known

    def cut(self, piece: str, last: bool) -> list[tuple[int, int]]:
        """Where the tokens of a piece begin and end; `last` says that nothing comes behind it."""
        begin, end = 0, len(piece)
        head: list[tuple[int, int]] = []
        tail: list[tuple[int, int]] = []
        while begin < end and not self.is_whole(piece[begin:end], last):
            if is_sign(piece[begin]) and not self.stays_before(piece, begin, end):
                stop = self.end_of_signs(piece, begin, end)
                head.append((begin, stop))
                begin = stop
            elif (start := self.start_of_signs(piece, begin, end)) < end:
                tail.append((start, end))
                end = start
            else:
                head += self.inside(piece, begin, end)
                begin = end
        if begin < end:
            head.append((begin, end))
        return [*head, *reversed(tail)]

    def is_whole(self, token: str, last: bool) -> bool:
        if len(token) > 1 and is_sign(token[-1]) and (last or token[-1] != ".") and self.known(token[:-1]):
            return False  # a dot at the end ends the sentence, and Paris! is no word where Paris is one
        if self.known(token) or ADDRESS.fullmatch(token):
            return True
        return DOTTED.fullmatch(token) is not None and (len(token) > 2 or (token[0].isupper() and not last))

    def stays_before(self, piece: str, begin: int, end: int) -> bool:
        return piece[begin] in self.splitting.leading and begin + 1 < end and not is_sign(piece[begin + 1])

    def end_of_signs(self, piece: str, begin: int, end: int) -> int:
        """Where the sign at `begin` ends: with what modifies it, and with its like where a run is one token."""
        stop = begin + 1
        while stop < end and piece[stop] == piece[begin]:
            stop += 1
        if stop - begin > 1 and not (piece[begin] in IN_RUNS or self.known(piece[begin:stop])):
            stop = begin + 1
        while stop < end and unicodedata.category(piece[stop]) in ("Mn", "Me", "Cf", "Sk"):
            stop += 1
        return stop

    def start_of_signs(self, piece: str, begin: int, end: int) -> int:
        """Where the last sign of a piece begins; `end` where it ends in none that is taken off."""
        start = end
        while start > begin + 1 and unicodedata.category(piece[start - 1]) in ("Mn", "Me", "Cf"):
            start -= 1
        if start == begin or not is_sign(piece[start - 1]):
            return end
        sign = piece[start - 1]
        if sign in self.splitting.trailing and start - 2 >= begin and not is_sign(piece[start - 2]):
            return end
        first = start - 1
        if self.known(piece[begin:first]):  # an abbreviation at the end of a sentence: Corp..
            return first
        while first > begin and piece[first - 1] == sign:
            first -= 1
        return first if start - first > 1 and (sign in IN_RUNS or self.known(piece[first:start])) else start - 1

    def inside(self, piece: str, begin: int, end: int) -> Iterator[tuple[int, int]]:
        """The tokens of a piece without signs at its ends."""
        start = at = begin
        while at < end:
            if is_sign(piece[at]) and at > start and not self.stays_inside(piece, at, end):
                yield from self.words(piece, start, at)
                start = self.end_of_signs(piece, at, end)
                yield at, start
                at = start
            elif is_sign(piece[at]) and at == start and at > begin:  # one sign behind another
                start = self.end_of_signs(piece, at, end)
                yield at, start
                at = start
            else:
                at += 1
        if start < end:
            yield from self.words(piece, start, end)

    def stays_inside(self, piece: str, at: int, end: int) -> bool:
        sign, before, behind = piece[at], piece[at - 1], piece[at + 1] if at + 1 < end else ""
        if not behind:
            return sign in self.splitting.trailing
        if is_sign(behind) or sign in self.splitting.apart:
            return False
        if before.isdigit() and behind.isdigit():
            return sign in KEPT_IN_NUMBERS
        return sign in KEPT_INSIDE and not (sign == "." and before.islower() and behind.isupper())

    def words(self, piece: str, begin: int, end: int) -> Iterator[tuple[int, int]]:
        """A word without what the corpus takes off it: l', 's, n't; Chinese characters one by one."""
        if self.splitting.ideographs:
            for part in re.finditer(f"[{IDEOGRAPHS}]|[^{IDEOGRAPHS}]+", piece[begin:end]):
                yield begin + part.start(), begin + part.end()
            return
        for at in range(begin + 1, end - 1):
            if piece[at] not in APOSTROPHES or self.known(piece[begin:end]):
                continue
            prefix, suffix = piece[begin : at + 1], piece[at:end]
            if piece[at - 1] in "nN" and at - 1 > begin and self.known("n't") and piece[at + 1 : end] in ("t", "T"):
                yield from ((begin, at - 1), (at - 1, end))
                return
            if self.known(suffix) or self.known("'" + suffix[1:].lower()):
                yield from ((begin, at), (at, end))
                return
            if self.known(prefix) or self.known(prefix[:-1] + "'"):
                yield begin, at + 1
                yield from self.words(piece, at + 1, end)
                return
        yield begin, end


def is_sign(letter: str) -> bool:
    """Whether a character is punctuation or a symbol; what belongs to a letter (vowels of Devanagari) is none."""
    return letter != "_" and unicodedata.category(letter)[0] in "PS"


def sentences_of(tokens: list[TextToken], text: str) -> Iterator[list[TextToken]]:
    """Tokens by sentence: one ends behind a full stop, and what closes quotes and brackets there, where the next token
    may begin another; and at an empty line."""
    start, at = 0, 0
    while at < len(tokens):
        end = at + 1
        if tokens[at].text[0] in TERMINATORS and tokens[at].text[-1] in TERMINATORS:
            while end < len(tokens) and tokens[end].text in CLOSERS | TERMINATORS and touches(tokens, end):
                end += 1
            ends = end == len(tokens) or begins_sentence(tokens, end, tokens[at].text[-1])
        else:
            ends = end == len(tokens)
        if not ends and re.search(r"\n[^\S\n]*\n", text[tokens[end - 1].end : tokens[end].start]):
            ends = True
        if ends:
            yield tokens[start:end]
            start = end
        at = end


def touches(tokens: list[TextToken], at: int) -> bool:
    return tokens[at].start == tokens[at - 1].end


def begins_sentence(tokens: list[TextToken], at: int, terminator: str) -> bool:
    if terminator in FULL_WIDTH:
        return True
    letter = next((letter for letter in tokens[at].text if letter.isalnum()), "")
    follower = (
        tokens[at + 1].text[0] if not letter and at + 1 < len(tokens) else letter
    )  # a quote opens: what is in it?
    return not touches(tokens, at) and not follower.islower() and tokens[at].text[0] not in ",;:"
