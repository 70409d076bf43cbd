"""`timeloom evaluate MODEL FILE`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from timeloom.cli.parser import make_parser, options_of, parse
from timeloom.tasks import evaluate_tagger, load
from timeloom.tasks.folder import read_config
from timeloom.tasks.tagging import TaggedFile


def run(argv: Sequence[str]) -> int:
    parser = make_parser("evaluate", "Score a saved model on a file, in the layout of conlleval.")
    parser.add_argument("model", type=str, help="Model folder.")
    parser.add_argument("file", type=str, help="Tagged sentences.")
    parser.add_argument("--json", action="store_true", help="Print the scores as one JSON object.")
    parser.add_class_arguments(TaggedFile, nested_key=None)
    # Columns and scheme of the training files are the likeliest; the format may well be another, so it is guessed.
    trained = read_config(Path(parse(parser, argv).model)).get("file", {})
    kept = ("token_column", "tag_column", "feature_columns", "scheme")
    parser.set_defaults({name: trained[name] for name in kept if name in trained})
    options = parse(parser, argv)
    scores, notes = evaluate_tagger(load(options.model), options.file, options_of(TaggedFile, options))
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    print(json.dumps(scores.as_dict(), ensure_ascii=False) if options.json else scores.report())
    return 0
