"""Raw text that is tagged: its sentences, and where in the text everything stands."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from timeloom.core import UsageError
from timeloom.data import AT_BLANKS, Sentence, Splitting, chunks
from timeloom.tasks.tagging.tagged import Tagged

Tokenize = Literal["auto", "always", "never"]


class TextChunk(NamedTuple):
    """A chunk of a text: `text[start:end]`, in characters."""

    type: str
    text: str
    start: int
    end: int


@dataclass(frozen=True)
class TaggedText:
    """A sentence of a text: its tokens, where in the text they begin and end (in characters), their tags, and the
    chunks that these spell; plain tags spell none. `label` as in `Tagged`."""

    tokens: list[str]
    offsets: list[tuple[int, int]]
    tags: list[str]
    chunks: list[TextChunk]
    label: str | None = None
    label_probability: float | None = None

    @staticmethod
    def of(text: str, sentence: Sentence, tagged: Tagged, *, plain: bool) -> TaggedText:
        found = [] if plain else text_chunks(text, sentence, tagged.tags)
        return TaggedText(
            list(sentence.tokens),
            list(sentence.offsets),
            tagged.tags,
            found,
            tagged.label,
            tagged.label_probability,
        )


def text_chunks(text: str, sentence: Sentence, tags: list[str]) -> list[TextChunk]:
    """The chunks of a sentence whose tokens' offsets are in `text`."""
    spans = [
        (chunk.type, sentence.offsets[chunk.start][0], sentence.offsets[chunk.end - 1][1]) for chunk in chunks(tags)
    ]
    return [TextChunk(name, text[start:end], start, end) for name, start, end in spans]


def splitting_for(learned: Splitting | None, tokenize: Tokenize) -> Splitting:
    """How text is split where `learned` is how the training data were; models of earlier versions do not know."""
    match tokenize:
        case "auto":
            return learned or AT_BLANKS
        case "always":
            return replace(learned or Splitting(), punctuation=True)
        case "never":
            return AT_BLANKS
    raise UsageError(f"tokenize is {tokenize!r}, wanted auto, always or never")
