"""Small tagged corpora the project's tests make for themselves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from timeloom.data import Sentence
from timeloom.train import Watch

PLAIN: dict[str, Any] = {
    "members": 1,
    "dropout": 0.0,
    "word_dropout": 0.0,
    "output": "softmax",
    "characters": "none",
    "capitalisation": False,
}
"""Options of a tagger of one member that sees words and nothing else, and drops none of them."""

TWENTY = [
    ("fly from Oslo to Rome", "O O B-from O B-to"),
    ("fly to Oslo from Rome", "O O B-to O B-from"),
    ("to New York on Monday", "O B-to I-to O B-day"),
    ("from New York on Monday", "O B-from I-from O B-day"),
    ("leave Rome", "O B-from"),
    ("reach Rome", "O B-to"),
    ("leave New York on Friday", "O B-from I-from O B-day"),
    ("reach New York on Friday", "O B-to I-to O B-day"),
    ("Oslo to Rome", "B-from O B-to"),
    ("Rome to Oslo", "B-from O B-to"),
    ("on Monday from Oslo", "O B-day O B-from"),
    ("on Monday to Oslo", "O B-day O B-to"),
    ("Friday", "B-day"),
    ("thanks", "O"),
    ("not Oslo but Rome to New York", "O O O B-from O B-to I-to"),
    ("not Rome but Oslo to New York", "O O O B-from O B-to I-to"),
    ("leave Oslo and reach Rome", "O B-from O O B-to"),
    ("reach Oslo and leave Rome", "O B-to O O B-from"),
    ("my aunt in Oslo flies to Rome", "O O O O O O B-to"),
    ("my aunt from Oslo flies to Rome", "O O O O O O B-to"),
]


class Listening(Watch):
    """Keeps what a training says."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def sentences(rows: Sequence[tuple[str, str]] = TWENTY) -> list[Sentence]:
    return [Sentence(tuple(words.split()), tuple(tags.split())) for words, tags in rows]


def write_conll(path: Path, rows: Sequence[tuple[str, str]] = TWENTY) -> Path:
    blocks = ("\n".join(f"{w}\t{t}" for w, t in zip(words.split(), tags.split(), strict=True)) for words, tags in rows)
    path.write_text("\n\n".join(blocks) + "\n", encoding="utf-8")
    return path
