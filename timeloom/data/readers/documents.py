"""Documents with their key terms: one JSON object a line, {"text": "...", "keyterms": ["...", ...]}."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from timeloom.core import DataError
from timeloom.data.readers.jsonlines import objects
from timeloom.data.readers.text import numbered_lines, shortened, whole_characters
from timeloom.data.tokenizer import words_of

Term = tuple[str, ...]
"""The words of a key term, in lower case."""


@dataclass(frozen=True)
class Document:
    """The words of a text, signs apart, and its key terms; `line` from 1, for messages."""

    words: tuple[str, ...]
    terms: tuple[Term, ...] = ()
    line: int | None = None


def read_documents(
    path: str | Path, text_keys: Sequence[str], terms_key: str, *, with_terms: bool = True
) -> list[Document]:
    """The documents of a file of JSON lines, gzipped or not; texts under several keys are put together.

    Raises DataError, with file and line, for what is no document.
    """
    path, found = Path(path), []
    for number, line, item in objects(numbered_lines(path), path):
        texts = [item.get(key) for key in text_keys]
        for key, text in zip(text_keys, texts, strict=True):
            if not isinstance(text, str):
                raise DataError(f'there is no text under "{key}" in {shortened(line)}', path, number)
            whole_characters(text, f'"{key}"', path, number)
        terms = item.get(terms_key) if with_terms else []
        if not isinstance(terms, list) or any(not isinstance(term, str) for term in terms):
            what = shortened(json.dumps(terms))
            raise DataError(f'"{terms_key}" is {what}, wanted a list of strings', path, number)
        for term in terms:
            whole_characters(term, f'"{terms_key}"', path, number)
        whole = " . ".join(text for text in texts if isinstance(text, str))
        known = dict.fromkeys(tuple(words_of(term.lower())) for term in terms)
        found.append(Document(tuple(words_of(whole)), tuple(term for term in known if term), number))
    if not found:
        raise DataError("there is nothing in it", path)
    return found
