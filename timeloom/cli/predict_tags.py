"""`timeloom predict MODEL [FILE]` for taggers."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Literal, TypeVar

from timeloom.cli.parser import make_parser, parse
from timeloom.cli.streams import for_output
from timeloom.core import UsageError
from timeloom.core.plain import shown
from timeloom.data import chunks, read_untagged
from timeloom.tasks import load_as
from timeloom.tasks.folder import read_config
from timeloom.tasks.tagging import Tagged, Tagger

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
        "--feature_columns",
        type=list[int] | None,
        default=None,
        help="Columns of further features in CoNLL files. null: as in training.",
    )
    parser.add_argument(
        "--output",
        type=Literal["conll", "json"],
        default="conll",
        help="Print a CoNLL block or a JSON line for each sentence.",
    )
    parser.add_argument(
        "--confidences",
        action="store_true",
        help="How likely each tag is, all paths through the sentence considered, as a third column.",
    )
    parser.add_argument(
        "--paths",
        type=int,
        default=0,
        help="Also the so many best ways to tag the whole sentence, the best first: in columns behind the others, "
        "and their probabilities in a line `# paths = ...` before the sentence.",
    )
    options = parse(parser, argv)
    if options.paths < 0:
        raise UsageError(f"paths is {options.paths}, wanted 0 or more")
    tagger = load_as(Tagger, options.model)
    streaming = options.file == "-"
    trained = read_config(Path(options.model)).get("file", {})
    token_column, feature_columns = (
        trained.get(name, otherwise) if getattr(options, name) is None else getattr(options, name)
        for name, otherwise in (("token_column", 0), ("feature_columns", []))
    )
    source = sys.stdin.buffer if streaming else options.file
    write = as_json if options.output == "json" else as_conll
    # From standard input each sentence is answered as it comes: somebody may be typing, or waiting at a pipe.
    strangers: list[Counter[str]] = [Counter() for _ in tagger.features]
    words = 0
    for group in grouped(read_untagged(source, options.format, token_column, feature_columns), 1 if streaming else 64):
        analysed = tagger.analyse(group, confidences=options.confidences, paths=options.paths)
        for sentence, tagged in zip(group, analysed, strict=True):
            print(for_output(write(sentence.tokens, tagged)), flush=streaming)
            words += len(sentence.tokens)
            for column, known, seen in zip(sentence.features, tagger.features, strangers, strict=True):
                seen.update(symbol for symbol in column if symbol not in known)
    for number, seen in zip(feature_columns, strangers, strict=True):
        if 2 * seen.total() > words:
            print(
                f"note: in column {number}, {seen.total()} of {words} features were never seen in "
                f"training ({', '.join(list(seen)[:4])}); is it the right column?",
                file=sys.stderr,
            )
    return 0


def as_conll(tokens: Sequence[str], tagged: Tagged) -> str:
    """The sentence as columns; what is said of it as a whole stands before it as comments, and its best paths, where
    they are asked for, as one column each."""
    head = [] if tagged.label is None else [f"# label = {shown(tagged.label)} {tagged.label_probability:.4f}"]
    columns = [tokens, [shown(tag) for tag in tagged.tags]]
    if tagged.confidences is not None:
        columns.append([f"{chance:.4f}" for chance in tagged.confidences])
    if tagged.paths:
        head.append("# paths = " + " ".join(f"{chance:.4g}" for _, chance in tagged.paths))
        columns += [[shown(tag) for tag in tags] for tags, _ in tagged.paths]
    return "".join(line + "\n" for line in [*head, *("\t".join(row) for row in zip(*columns, strict=True))])


def as_json(tokens: Sequence[str], tagged: Tagged) -> str:
    found = [
        {"type": chunk.type, "text": " ".join(tokens[chunk.start : chunk.end]), "start": chunk.start, "end": chunk.end}
        for chunk in chunks(tagged.tags)
    ]
    line: dict[str, Any] = {"tokens": list(tokens), "tags": tagged.tags, "chunks": found}
    if tagged.label is not None:
        line |= {"label": tagged.label, "label_probability": rounded(tagged.label_probability)}
    if tagged.confidences is not None:
        line["confidences"] = [rounded(chance) for chance in tagged.confidences]
    if tagged.paths:
        line["paths"] = [{"tags": tags, "probability": rounded(chance)} for tags, chance in tagged.paths]
    return shown(json.dumps(line, ensure_ascii=False))


def rounded(chance: float | None) -> float | None:
    return None if chance is None else float(f"{chance:.6g}")


def grouped(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    iterator = iter(items)
    while group := list(islice(iterator, size)):
        yield group
