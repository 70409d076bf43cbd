"""`timeloom predict MODEL [FILE]`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Literal, TypeVar

from timeloom.cli.parser import make_parser, parse
from timeloom.data import chunks, read_untagged
from timeloom.tasks import load
from timeloom.tasks.folder import read_config

Item = TypeVar("Item")


def run(argv: Sequence[str]) -> int:
    parser = make_parser(
        "predict",
        "Tag sentences: one a line with blanks between the tokens, CoNLL columns, or JSON lines with tokens or text.",
    )
    parser.add_argument("model", type=str, help="Model folder.")
    parser.add_argument("file", type=str, nargs="?", default="-", help="Sentences; - is standard input.")
    parser.add_argument(
        "--format",
        type=Literal["guess", "text", "conll", "jsonlines", "lines", "folder"],
        default="guess",
        help="How the sentences are written.",
    )
    parser.add_argument(
        "--token_column",
        type=int | None,
        default=None,
        help="Column of the token in CoNLL files, from 0; -1 is the last. null: as in training.",
    )
    parser.add_argument(
        "--output",
        type=Literal["conll", "json"],
        default="conll",
        help="Print a CoNLL block or a JSON line for each sentence.",
    )
    options = parse(parser, argv)
    tagger = load(options.model)
    streaming = options.file == "-"
    column = options.token_column
    if column is None:
        column = read_config(Path(options.model)).get("file", {}).get("token_column", 0)
    sentences = read_untagged(sys.stdin.buffer if streaming else options.file, options.format, column)
    # From standard input each sentence is answered as it comes: somebody may be typing, or waiting at a pipe.
    for group in grouped((sentence.tokens for sentence in sentences), 1 if streaming else 64):
        for tokens, tags in zip(group, tagger.tag(group), strict=True):
            print(as_json(tokens, tags) if options.output == "json" else as_conll(tokens, tags), flush=streaming)
    return 0


def as_conll(tokens: Sequence[str], tags: Sequence[str]) -> str:
    return "".join(f"{token}\t{tag}\n" for token, tag in zip(tokens, tags, strict=True))


def as_json(tokens: Sequence[str], tags: Sequence[str]) -> str:
    found = [
        {"type": chunk.type, "text": " ".join(tokens[chunk.start : chunk.end]), "start": chunk.start, "end": chunk.end}
        for chunk in chunks(tags)
    ]
    return json.dumps({"tokens": list(tokens), "tags": list(tags), "chunks": found}, ensure_ascii=False)


def grouped(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    iterator = iter(items)
    while group := list(islice(iterator, size)):
        yield group
