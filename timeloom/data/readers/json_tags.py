"""Tags in JSON: beside the tokens, or as spans of a text.

    {"tokens": ["fly", "to", "Oslo"], "tags": ["O", "O", "B-city"], "label": "flight"}
    {"words": ["fly", "to", "Oslo"], "ner_tags": ["O", "O", "B-city"]}
    {"text": "fly to Oslo", "entities": [[7, 11, "city"]]}                                 spaCy, Doccano
    {"text": "fly to Oslo", "spans": [{"start": 7, "end": 11, "label": "city"}]}           Prodigy, Doccano

`label` may be missing. Other keys are not looked at. A text with spans is split as raw text is, and at both ends of
each span; blanks in the name of a span become underscores.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from timeloom.core import DataError
from timeloom.data.readers.jsonlines import UNWRITABLE, objects, strings
from timeloom.data.readers.text import Lines, shortened
from timeloom.data.sentence import Sentence
from timeloom.data.splitting import Split, Splitting, TextToken

TOKEN_KEYS = ("tokens", "words")
TAG_KEYS = ("tags", "ner_tags", "labels", "ner", "pos_tags", "upos", "chunk_tags")
SPAN_KEYS = ("entities", "spans", "ents", "labels", "label")


class Marked(NamedTuple):
    """Characters `start` to `end` of a text are a `type`."""

    start: int
    end: int
    type: str


class Place(NamedTuple):
    """Where a record stands, for messages."""

    path: Path | str
    line: int


def tagged_json(lines: Lines, path: Path) -> Iterator[Sentence]:
    """Sentences with tags. Bad JSON, missing keys, wrong types, unequal lengths: DataError with file and line."""
    for number, line, item in objects(lines, path):
        key = next((key for key in SPAN_KEYS if isinstance(item.get(key), list)), None)
        if isinstance(item.get("text"), str) and key and not plain_tokens(item):
            yield from sentences_with_spans(item["text"], item[key], key, Place(path, number))
        else:
            yield sentence_with_tags(item, line, path, number)


def plain_tokens(item: dict[str, Any]) -> bool:
    tokens = item.get(first_key(item, TOKEN_KEYS))
    return isinstance(tokens, list) and all(isinstance(token, str) for token in tokens)


def first_key(item: dict[str, Any], keys: tuple[str, ...]) -> str:
    return next((key for key in keys if key in item), keys[0])


def sentence_with_tags(item: dict[str, Any], line: str, path: Path, number: int) -> Sentence:
    tokens = strings(item, first_key(item, TOKEN_KEYS), line, path, number)
    key = first_key(item, TAG_KEYS)
    value = item.get(key)
    if isinstance(value, list) and value and all(type(tag) is int for tag in value):
        raise DataError(
            f'"{key}" holds numbers, {shortened(json.dumps(value))}, wanted the names of the tags.\n'
            "  Write each number's name; the data set's own description has them in their order.",
            path,
            number,
        )
    tags = strings(item, key, line, path, number)
    if len(tokens) != len(tags):
        raise DataError(
            f"{len(tags)} tags, wanted {len(tokens)}, one for each token.\n  the line: {shortened(line)}", path, number
        )
    label = item.get("label")
    if label is not None and not isinstance(label, str):
        raise DataError(f'"label" is {shortened(json.dumps(label))}, wanted a string or null', path, number)
    return Sentence(tokens, tags, label, line=number)


def untagged_json(lines: Lines, path: Path | str, split: Split) -> Iterator[Sentence]:
    """Sentences of "tokens", or those that "text" is split into."""
    for number, line, item in objects(lines, path):
        text = item.get("text")
        if isinstance(text, str) and not plain_tokens(item):
            found = split(text, number)
            if not found:
                raise DataError(f'"text" is {shortened(json.dumps(text))}, wanted words', path, number)
            yield from found
        else:
            yield Sentence(strings(item, first_key(item, TOKEN_KEYS), line, path, number), line=number)


def sentences_with_spans(text: str, spans: list[Any], key: str, place: Place) -> Iterator[Sentence]:
    """The sentences of a text, none of which ends inside a span."""
    marked = sorted(marked_by(span, key, text, place) for span in spans)
    for one, other in pairwise(marked):
        if other.start < one.end:
            raise DataError(
                f'"{key}" has spans that overlap: {list(one)} and {list(other)}.\n'
                "  A word has one tag: keep one of the two.",
                *place,
            )
    edges = {edge for span in marked for edge in span[:2]}
    sentences: list[list[TextToken]] = []
    for tokens in Splitting().split(text):
        inside = any(span.start < tokens[0].start < span.end for span in marked)
        pieces = [piece for token in tokens for piece in cut_at(token, edges)]
        if inside and sentences:
            sentences[-1] += pieces
        else:
            sentences.append(pieces)
    for tokens in sentences:
        if wrong := next((token.text for token in tokens if UNWRITABLE.search(token.text)), None):
            raise DataError(f'"text" holds {shortened(json.dumps(wrong))}, which is no text', *place)
        yield Sentence(
            tuple(token.text for token in tokens),
            tuple(tag_of(token, marked) for token in tokens),
            line=place.line,
            text=text,
            offsets=tuple((token.start, token.end) for token in tokens),
        )
    if not sentences:
        raise DataError('"text" is empty, wanted words', *place)


def cut_at(token: TextToken, edges: set[int]) -> list[TextToken]:
    """A token, in pieces where spans begin or end inside it."""
    cuts = [token.start, *sorted(edge for edge in edges if token.start < edge < token.end), token.end]
    return [TextToken(token.text[start - token.start : end - token.start], start, end) for start, end in pairwise(cuts)]


def tag_of(token: TextToken, marked: list[Marked]) -> str:
    span = next((span for span in marked if span.start <= token.start < span.end), None)
    return "O" if span is None else f"{'B' if token.start == span.start else 'I'}-{span.type}"


def marked_by(span: Any, key: str, text: str, place: Place) -> Marked:
    """What a span marks, without the blanks at its ends."""
    found: list[Any] = [None, None, None]
    if isinstance(span, list) and len(span) == 3:
        found = span
    elif isinstance(span, dict):
        names = (("start", "start_offset"), ("end", "end_offset"), ("label", "type", "entity"))
        found = [next((span[name] for name in some if name in span), None) for some in names]
    start, end, name = found
    whole = type(start) is int and type(end) is int and isinstance(name, str) and name.strip()
    if not whole or not 0 <= start < end <= len(text):
        raise DataError(
            f'"{key}" holds {shortened(json.dumps(span))}, wanted [start, end, "type"] with '
            f"0 ≤ start < end ≤ {len(text)}, in characters of the text",
            *place,
        )
    inner = text[start:end]
    start, end = start + len(inner) - len(inner.lstrip()), end - len(inner) + len(inner.rstrip())
    if start >= end:
        raise DataError(f'"{key}" holds {shortened(json.dumps(span))}, which marks nothing but blanks', *place)
    return Marked(start, end, "_".join(name.split()))
