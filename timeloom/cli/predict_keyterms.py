"""`timeloom predict MODEL [FILE]` for extractors of key terms."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from typing import Literal

from timeloom.cli.models import trained_with
from timeloom.cli.parser import make_parser, options_of, parse
from timeloom.cli.predict_tags import grouped
from timeloom.core import UsageError
from timeloom.core.plain import shown
from timeloom.data import Document, words_of
from timeloom.data.readers.text import numbered_lines
from timeloom.tasks import KeytermExtractor, load_as
from timeloom.tasks.keyterms import DocumentFile


def run(argv: Sequence[str]) -> int:
    parser = make_parser("predict", "The key terms of each document, likeliest first.")
    parser.add_argument("model", type=str, help="Model folder of an extractor of key terms.")
    parser.add_argument(
        "file",
        type=str,
        nargs="?",
        default="-",
        help="JSON, a .txt with a document a line, or a folder of .txt files; - is standard input.",
    )
    parser.add_argument("--count", type=int, default=10, help="Most terms of a document.")
    parser.add_argument(
        "--output", type=Literal["lines", "json"], default="lines", help="Print lines or JSON for each document."
    )
    parser.add_class_arguments(DocumentFile, nested_key=None)
    parser.set_defaults(trained_with(argv))
    options = parse(parser, argv)
    if options.count < 1:
        raise UsageError(f"count is {options.count}, wanted 1 or more")
    extractor = load_as(KeytermExtractor, options.model)
    streaming = options.file == "-"
    for group in grouped(documents_of(options.file, options_of(DocumentFile, options)), 1 if streaming else 32):
        for found in extractor.extract(group):
            terms = {" ".join(term): round(chance, 4) for term, chance in found.terms[: options.count]}
            if options.output == "json":
                print(shown(json.dumps({"keyterms": terms}, ensure_ascii=False)), flush=streaming)
            else:
                print(shown("".join(f"{chance:.4f}\t{term}\n" for term, chance in terms.items())), flush=streaming)
    return 0


def documents_of(file: str, written: DocumentFile) -> Iterator[Document]:
    if file == "-" or file.removesuffix(".gz").endswith(".txt"):
        for number, line in numbered_lines(sys.stdin if file == "-" else file):
            yield Document(tuple(words_of(line)), (), number)
    else:
        yield from written.read(file, with_terms=False)
