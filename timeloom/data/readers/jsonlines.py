"""JSON objects, one a line or in an array."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from timeloom.core import DataError
from timeloom.data.readers.text import SURROGATE, Lines, shortened, whole_characters

BLANKS = re.compile(r"[ \t\r\n]*")

UNWRITABLE = re.compile("[ \t\r\n]")  # in a file of columns


def objects(lines: Lines, path: Path | str) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """Line, text and content of each object: one a line, or those of an array, over as many lines as it may have. A
    pair of a text and an object, as spaCy writes them, is an object that has the text under "text"."""
    remaining = iter(lines)
    for number, line in remaining:
        if not line.strip():
            continue
        if begins_array(line):
            for at, text, item in items(chain([(number, line)], remaining), path):
                yield at, text, as_object(item, text, path, at)
            return
        try:
            item = json.loads(line)
        except (ValueError, RecursionError) as error:
            what = f"not JSON: {error}.\n  the line: {shortened(line)}\n  Wanted: one whole object on every line."
            raise DataError(what, path, number) from None
        yield number, line, as_object(item, line, path, number)


def begins_array(line: str) -> bool:
    """Whether the first line of a file begins an array of objects or pairs."""
    return re.match(r"\s*\[\s*($|[{\[])", line) is not None


def items(lines: Lines, path: Path | str) -> Iterator[tuple[int, str, Any]]:
    """The items of an array, with the line that each begins on."""
    numbers, texts = zip(*lines, strict=True)
    text = "\n".join(texts)
    decoder, at, number = json.JSONDecoder(), text.index("[") + 1, numbers[0]
    counted = 0
    while True:
        at = blanks_end(text, at)
        number, counted = number + text.count("\n", counted, at), at
        if text[at : at + 1] == "]":
            break
        try:
            item, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            said = getattr(error, "msg", error)
            raise DataError(f"not JSON: {said}.\n  from here: {shortened(text[at:])}", path, number) from None
        yield number, text[at:end], item
        at = blanks_end(text, end)
        if text[at : at + 1] not in (",", "]"):
            number += text.count("\n", counted, at)
            raise DataError(f"not JSON: wanted a comma or ] and not {shortened(text[at:])}", path, number)
        at += text[at] == ","
    if rest := text[at + 1 :].strip():
        raise DataError(f"not JSON: behind the end of the array stands {shortened(rest)}", path, number)


def blanks_end(text: str, at: int) -> int:
    found = BLANKS.match(text, at)
    return at if found is None else found.end()


def as_object(item: Any, line: str, path: Path | str, number: int) -> dict[str, Any]:
    match item:
        case [str(text), dict(rest)]:
            item = {"text": text, **rest}
        case dict():
            pass
        case _:
            item = None
    if isinstance(item, dict):
        if "\\u" in line or SURROGATE.search(line):  # only there can half a character be
            for key, value in item.items():
                for text in texts_in(value):
                    whole_characters(text, f'"{key[:40]}"', path, number)
        return item
    raise DataError(f"not a JSON object: {shortened(line)}\n  Wanted: {{...}} on every line.", path, number)


def texts_in(value: Any) -> Iterator[str]:
    """Every string in a value of JSON."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for part in (*value, *value.values()) if isinstance(value, dict) else value:
            yield from texts_in(part)


def strings(item: dict[str, Any], key: str, line: str, path: Path | str, number: int) -> tuple[str, ...]:
    """The list under `key`: at least one string, none of them empty or with a blank."""
    if key not in item:
        raise DataError(f'there is no "{key}" in {shortened(line)}\n  Wanted: a list of strings.', path, number)
    value = item[key]
    if not isinstance(value, list) or not value:
        raise DataError(f'"{key}" is {shortened(json.dumps(value))}, wanted a list of strings', path, number)
    for text in value:
        if not isinstance(text, str) or not text or UNWRITABLE.search(text):
            raise DataError(
                f'"{key}" holds {shortened(json.dumps(text))}, wanted strings, not empty and without blanks.\n'
                "  Split at blanks, or put another sign in their place.",
                path,
                number,
            )
        whole_characters(text, f'"{key}"', path, number)
    return tuple(value)
