"""One JSON object a line: {"tokens": ["fly", "to", "Oslo"], "tags": ["O", "O", "B-city"], "label": "flight"}.

`label` may be missing. For prediction {"tokens": [...]} is enough, or {"text": "fly to Oslo"}, split at blanks. Other
keys are not looked at, empty lines are skipped.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from timeloom.core import DataError
from timeloom.data.readers.text import Lines, shortened, whole_characters
from timeloom.data.sentence import Sentence

UNWRITABLE = re.compile("[ \t\r\n]")  # in a file of columns


def tagged_json(lines: Lines, path: Path) -> Iterator[Sentence]:
    """Sentences with tags. Bad JSON, missing keys, wrong types, unequal lengths: DataError with file and line."""
    for number, line, item in objects(lines, path):
        tokens = strings(item, "tokens", line, path, number)
        tags = strings(item, "tags", line, path, number)
        if len(tokens) != len(tags):
            raise DataError(
                f"{len(tags)} tags, wanted {len(tokens)}, one for each token.\n  the line: {shortened(line)}",
                path,
                number,
            )
        label = item.get("label")
        if label is not None and not isinstance(label, str):
            raise DataError(f'"label" is {shortened(json.dumps(label))}, wanted a string or null', path, number)
        whole_characters(label or "", '"label"', path, number)
        yield Sentence(tokens, tags, label, line=number)


def untagged_json(lines: Lines, path: Path | str) -> Iterator[Sentence]:
    """Sentences of "tokens", or of the blank-parted words of "text"."""
    for number, line, item in objects(lines, path):
        if isinstance(item.get("text"), str) and "tokens" not in item:
            item = {"tokens": whole_characters(item["text"], '"text"', path, number).split()}
        yield Sentence(strings(item, "tokens", line, path, number), line=number)


def objects(lines: Lines, path: Path | str) -> Iterator[tuple[int, str, dict[str, Any]]]:
    for number, line in lines:
        if not line.strip():
            continue
        try:
            item = json.loads(line)
        except (ValueError, RecursionError) as error:
            what = f"not JSON: {error}.\n  the line: {shortened(line)}\n  Wanted: one whole object on every line."
            raise DataError(what, path, number) from None
        if not isinstance(item, dict):
            raise DataError(f"not a JSON object: {shortened(line)}\n  Wanted: {{...}} on every line.", path, number)
        yield number, line, item


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
