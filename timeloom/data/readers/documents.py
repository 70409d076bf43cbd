"""Documents with their key terms.

JSON, one object a line or an array of them: {"text": "...", "keyterms": ["...", ...]}; the terms may be one string with
semicolons between them (KP20k). Or a folder: `docs/*.txt` beside `keys/*.key` with a term on each line, or all of them
in one folder.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from timeloom.core import DataError
from timeloom.data.readers.jsonlines import objects
from timeloom.data.readers.text import numbered_lines, shortened
from timeloom.data.tokenizer import words_of

Term = tuple[str, ...]
"""The words of a key term, in lower case."""

TEXT_FOLDERS = ("docs", "docsutf8", "documents", "texts", "text")
TEXT_KEYS = ("text", "title", "abstract", "body", "document", "content", "fulltext")
TERM_KEYS = ("keyterms", "keywords", "keyphrases", "keyword", "keyphrase", "tags", "terms")


@dataclass(frozen=True)
class Document:
    """The words of a text, signs apart, and its key terms; `line` from 1, for messages."""

    words: tuple[str, ...]
    terms: tuple[Term, ...] = ()
    line: int | None = None


def read_documents(
    path: str | Path, text_keys: Sequence[str], terms_key: str, *, with_terms: bool = True
) -> list[Document]:
    """The documents of a file of JSON, gzipped or not, or of a folder; texts under several keys are put together.

    Raises DataError, with file and line, for what is no document.
    """
    path = Path(path)
    if path.is_dir():
        return list(of_folder(path, with_terms))
    found = []
    for number, line, item in objects(numbered_lines(path), path):
        texts = [item.get(key) for key in text_keys]
        for key, text in zip(text_keys, texts, strict=True):
            if not isinstance(text, str):
                raise no_text(item, key, terms_key, line, path, number)
        whole = " . ".join(text for text in texts if isinstance(text, str))
        terms = terms_under(item, terms_key, path, number) if with_terms else []
        found.append(document(whole, terms, number))
    if not found:
        raise DataError("there is nothing in it", path)
    return found


def document(text: str, terms: Sequence[str], line: int | None = None) -> Document:
    known = dict.fromkeys(tuple(words_of(term.lower())) for term in terms)
    return Document(tuple(words_of(text)), tuple(term for term in known if term), line)


def terms_under(item: dict[str, Any], key: str, path: Path, number: int) -> list[str]:
    """The key terms of an object: a list of strings, or one with semicolons between them."""
    terms = item.get(key)
    if isinstance(terms, str) and "," in terms and ";" not in terms:
        raise DataError(
            f'"{key}" is {shortened(json.dumps(terms))}, one term as it stands.\n'
            "  Put semicolons between terms, or write a list of strings.",
            path,
            number,
        )
    if isinstance(terms, str):
        return [term for part in terms.split(";") if (term := part.strip())]
    if isinstance(terms, list) and all(isinstance(term, str) for term in terms):
        return terms
    what = shortened(json.dumps(terms))
    others = [other for other in TERM_KEYS if other != key and isinstance(item.get(other), list | str)]
    hint = f"\n  There is something under {quoted(others)}: say --terms_key {others[0]}." if others else ""
    raise DataError(f'"{key}" is {what}, wanted a list of strings, or one with semicolons{hint}', path, number)


def no_text(item: dict[str, Any], key: str, terms_key: str, line: str, path: Path, number: int) -> DataError:
    """What to say of an object without a text: which of its keys may be meant, and by which options."""
    texts = [name for name in TEXT_KEYS if isinstance(item.get(name), str)]
    terms = [name for name in TERM_KEYS if isinstance(item.get(name), list | str)]
    said = []
    if texts:
        said.append(f"--text_keys '{json.dumps(texts)}'")
    if terms and terms_key not in item:
        said.append(f"--terms_key {terms[0]}")
    hint = f"\n  It has {quoted(list(item))}: say {' '.join(said)}." if said else f"\n  It has {quoted(list(item))}."
    return DataError(f'there is no text under "{key}" in {shortened(line)}{hint}', path, number)


def quoted(names: Sequence[str]) -> str:
    shown = ", ".join(f'"{name}"' for name in names[:10])
    return shown + (f" and {len(names) - 10} more" if len(names) > 10 else "")


def of_folder(folder: Path, with_terms: bool) -> Iterator[Document]:
    """The documents of a folder of texts and key files, by name. A text without its keys, or keys without their text,
    are a DataError."""
    texts = files_of(text_folder(folder), ".txt")
    if not texts:
        raise DataError(
            "there are no .txt files in this folder, nor in one named docs in it, beside keys/*.key", folder
        )
    keys = files_of(folder / "keys" if (folder / "keys").is_dir() else folder, ".key") if with_terms else {}
    if with_terms and (alone := sorted(texts.keys() ^ keys.keys())):
        name = alone[0]
        there, missing = (texts[name], f"{name}.key") if name in texts else (keys[name], f"{name}.txt")
        raise DataError(
            f"there is no {missing} to go with {there.name}; {len(alone)} of "
            f"{len(texts) + len(keys)} files are alone.\n"
            "  Wanted: a folder with docs/*.txt and keys/*.key, or both kinds side by side, with equal names.",
            folder,
        )
    for name, path in texts.items():
        terms = [line for _, line in numbered_lines(keys[name])] if name in keys else []
        yield document("\n".join(line for _, line in numbered_lines(path)), terms)


def text_folder(folder: Path) -> Path:
    return next((folder / name for name in TEXT_FOLDERS if (folder / name).is_dir()), folder)


def files_of(folder: Path, ending: str) -> dict[str, Path]:
    """The files of a folder with this ending, by their names without it."""
    return {path.name.removesuffix(ending): path for path in sorted(folder.glob(f"*{ending}")) if path.is_file()}
