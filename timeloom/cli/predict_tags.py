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
from timeloom.data import Chunk, Sentence, chunks, read_untagged, sentences_in
from timeloom.tasks import load_as
from timeloom.tasks.folder import read_config
from timeloom.tasks.tagging import Tagged, Tagger, Tokenize, splitting_for

Item = TypeVar("Item")


def run(argv: Sequence[str]) -> int:
    parser = make_parser(
        "predict",
        "Tag text: lines of raw text, CoNLL columns, or JSON with tokens or text. Raw text is split into sentences, "
        "words and punctuation as the training data were (--tokenize).",
    )
    parser.add_argument("model", type=str, help="Model folder.")
    parser.add_argument("file", type=str, nargs="?", default="-", help="Sentences; - is standard input.")
    parser.add_argument(
        "--format",
        type=Literal["guess", "text", "conll", "conllu", "jsonlines", "lines", "pairs", "folder"],
        default="guess",
        help="How the sentences are written.",
    )
    parser.add_argument(
        "--tokenize",
        type=Literal["auto", "always", "never"],
        default="auto",
        help="Split raw text into sentences, words and punctuation: auto, as the training data were; always; never, at "
        "blanks alone, a sentence a line.",
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
    split = RawText(tagger, options.tokenize)
    if streaming and sys.stdin.buffer.isatty():
        tell("type a text on each line; Ctrl-D ends")
    sentences = read_untagged(source, options.format, token_column, feature_columns, split)
    for group in grouped(sentences, 1 if streaming else 64):
        analysed = tagger.analyse(group, confidences=options.confidences, paths=options.paths)
        for sentence, tagged in zip(group, analysed, strict=True):
            print(for_output(write(sentence, tagged, tagger.plain)), flush=streaming)
            words += len(sentence.tokens)
            for column, known, seen in zip(sentence.features, tagger.features, strangers, strict=True):
                seen.update(symbol for symbol in column if symbol not in known)
    for number, seen in zip(feature_columns, strangers, strict=True):
        if 2 * seen.total() > words:
            tell(
                f"in column {number}, {seen.total()} of {words} features were never seen in "
                f"training ({', '.join(list(seen)[:4])}); is it the right column?"
            )
    return 0


def tell(text: str) -> None:
    print(f"note: {text}", file=sys.stderr)


class RawText:
    """Splits raw text for a tagger, and says once what a user may not expect of it."""

    def __init__(self, tagger: Tagger, tokenize: Tokenize):
        self.tagger, self.splitting = tagger, splitting_for(tagger.splitting, tokenize)
        self.note: str | None = f"{SPLIT} (--tokenize never splits it at blanks alone)"
        if tokenize == "auto" and tagger.splitting is None:
            self.note = f"{UNKNOWN_SPLITTING} (--tokenize always)"

    def __call__(self, text: str, line: int | None) -> list[Sentence]:
        found = sentences_in(text, self.splitting, self.tagger.knows, line)
        words = text.split()
        known = self.tagger.splitting is not None or self.splitting.punctuation
        unexpected = differs(found, words) if known else any(word[-1] in ",.!?;:" for word in words)
        if self.note and unexpected:
            tell(self.note)
            self.note = None
        return found


SPLIT = "raw text is split into sentences, words and punctuation"
UNKNOWN_SPLITTING = (
    "the model does not say how its training data were split, so raw text is split at blanks and punctuation stays "
    "with its words"
)


def differs(sentences: Sequence[Sentence], words: Sequence[str]) -> bool:
    return [list(sentence.tokens) for sentence in sentences] != ([list(words)] if words else [])


def as_conll(sentence: Sentence, tagged: Tagged, plain: bool) -> str:
    """The sentence as columns; what is said of it as a whole stands before it as comments, and its best paths, where
    they are asked for, as one column each."""
    head = [] if tagged.label is None else [f"# label = {shown(tagged.label)} {tagged.label_probability:.4f}"]
    columns = [sentence.tokens, [shown(tag) for tag in tagged.tags]]
    if tagged.confidences is not None:
        columns.append([f"{chance:.4f}" for chance in tagged.confidences])
    if tagged.paths:
        head.append("# paths = " + " ".join(f"{chance:.4g}" for _, chance in tagged.paths))
        columns += [[shown(tag) for tag in tags] for tags, _ in tagged.paths]
    return "".join(line + "\n" for line in [*head, *("\t".join(row) for row in zip(*columns, strict=True))])


def as_json(sentence: Sentence, tagged: Tagged, plain: bool) -> str:
    """The sentence, its tokens and chunks with their places in the text they came from, in characters."""
    text, offsets = sentence.text, sentence.offsets
    if text is None:
        text, offsets = joined(sentence.tokens)
    start, end = offsets[0][0], offsets[-1][1]
    line: dict[str, Any] = {"text": text[start:end], "start": start, "end": end}
    if sentence.line is not None:
        line["line"] = sentence.line
    line |= {"tokens": list(sentence.tokens), "offsets": [list(place) for place in offsets], "tags": tagged.tags}
    if not plain:
        line["chunks"] = [chunk_as_dict(chunk, text, offsets) for chunk in chunks(tagged.tags)]
    if tagged.label is not None:
        line |= {"label": tagged.label, "label_probability": rounded(tagged.label_probability)}
    if tagged.confidences is not None:
        line["confidences"] = [rounded(chance) for chance in tagged.confidences]
    if tagged.paths:
        line["paths"] = [{"tags": tags, "probability": rounded(chance)} for tags, chance in tagged.paths]
    return shown(json.dumps(line, ensure_ascii=False))


def chunk_as_dict(chunk: Chunk, text: str, offsets: Sequence[tuple[int, int]]) -> dict[str, Any]:
    start, end = offsets[chunk.start][0], offsets[chunk.end - 1][1]
    return {
        "type": chunk.type,
        "text": text[start:end],
        "start": start,
        "end": end,
        "tokens": [chunk.start, chunk.end],
    }


def joined(tokens: Sequence[str]) -> tuple[str, list[tuple[int, int]]]:
    """Tokens with blanks between them, and where each stands."""
    offsets, at = [], 0
    for token in tokens:
        offsets.append((at, at + len(token)))
        at += len(token) + 1
    return " ".join(tokens), offsets


def rounded(chance: float | None) -> float | None:
    return None if chance is None else float(f"{chance:.6g}")


def grouped(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    iterator = iter(items)
    while group := list(islice(iterator, size)):
        yield group
