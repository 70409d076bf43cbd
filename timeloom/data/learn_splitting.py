"""How a corpus was split into tokens, read off its tokens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from timeloom.data.splitting import APOSTROPHES, CLOSERS, DOTTED, IDEOGRAPH, TERMINATORS, Splitting, is_sign

PUNCTUATION = frozenset(",;:!?")


def learn_splitting(sentences: Sequence[Sequence[str]]) -> Splitting:
    """How raw text is split into such sentences.

    Signs are tokens of their own unless more than one in twenty commas, colons and the like, and dots at the end of a
    sentence, hangs on a word; in a corpus without any, unless one token in 200 ends in one.
    """
    alone: Counter[str] = Counter()
    before: Counter[str] = Counter()
    behind: Counter[str] = Counter()
    inside: Counter[str] = Counter()
    for token, count in Counter(token for tokens in sentences for token in tokens).items():
        if len(token) == 1:
            alone[token] += count
        elif any(letter.isalnum() for letter in token):
            before[token[0]] += count
            behind[token[-1]] += count
            inside.update(dict.fromkeys(set(token[1:-1]), count))
    hanging = sum(behind[sign] for sign in PUNCTUATION) + sum(map(ends_in_a_dot, sentences))
    standing = sum(alone[sign] for sign in PUNCTUATION | {"."})
    total = sum(map(len, sentences))
    return Splitting(
        punctuation=20 * hanging <= hanging + standing if standing else 200 * hanging <= total,
        sentences=not hold_several_sentences(sentences),
        leading=usual(before, alone, APOSTROPHES | CLOSERS),
        trailing=usual(behind, alone, APOSTROPHES | CLOSERS | TERMINATORS | PUNCTUATION),
        apart="".join(sign for sign in "-/" if alone[sign] > max(4 * inside[sign], 1)),
        ideographs=are_single(sentences),
    )


def usual(attached: Counter[str], alone: Counter[str], others: frozenset[str]) -> str:
    """The signs that a word has at its end more often than they stand alone."""
    signs = sorted(sign for sign in attached if is_sign(sign) and sign not in others)
    return "".join(sign for sign in signs if attached[sign] > max(alone[sign], 1))


def ends_in_a_dot(sentence: Sequence[str]) -> bool:
    """Whether the last word has the full stop of its sentence; abbreviations have dots of their own."""
    last = sentence[-1] if sentence else ""
    return len(last) > 1 and last[-1] == "." and last[-2].isalnum() and not DOTTED.fullmatch(last)


def hold_several_sentences(sentences: Sequence[Sequence[str]]) -> bool:
    """Whether most of the sentences that have a full stop go on behind it."""
    stopped = several = 0
    for tokens in sentences:
        stops = [at for at, token in enumerate(tokens) if token in TERMINATORS]
        stopped += bool(stops)
        several += any(at + 1 < len(tokens) and tokens[at + 1][0].isupper() for at in stops)
    return 2 * several > stopped


def are_single(sentences: Sequence[Sequence[str]]) -> bool:
    """Whether Chinese characters are tokens of their own."""
    written = [token for tokens in sentences for token in tokens if IDEOGRAPH.search(token)]
    return bool(written) and sum(len(token) == 1 for token in written) >= 0.95 * len(written)
