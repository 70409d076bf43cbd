"""`timeloom evaluate MODEL FILE`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser

from timeloom.cli.parser import make_parser, options_of, parse
from timeloom.tasks import evaluate_language_model, evaluate_tagger, load
from timeloom.tasks.folder import read_config
from timeloom.tasks.language import LanguageModel
from timeloom.tasks.tagging import TaggedFile


def run(argv: Sequence[str]) -> int:
    parser = make_parser("evaluate", "Score a saved model on a file.")
    parser.add_argument("model", type=str, help="Model folder.")
    parser.add_argument("file", type=str, help="What the model's task reads: tagged sentences, or a text.")
    parser.add_argument("--json", action="store_true", help="Print the scores as one JSON object.")
    parser.add_class_arguments(TaggedFile, nested_key=None)
    set_as_trained(parser, argv)
    options = parse(parser, argv)
    model = load(options.model)
    scores: Any
    if isinstance(model, LanguageModel):
        scores, notes = evaluate_language_model(model, options.file), []
    else:
        scores, notes = evaluate_tagger(model, options.file, options_of(TaggedFile, options))
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    print(json.dumps(scores.as_dict(), ensure_ascii=False) if options.json else scores.report())
    return 0


def set_as_trained(parser: ArgumentParser, argv: Sequence[str]) -> None:
    """Columns and scheme of the training files are the likeliest; the format may well be another, so it is guessed."""
    trained = read_config(Path(parse(parser, argv).model)).get("file", {})
    kept = ("token_column", "tag_column", "feature_columns", "scheme")
    parser.set_defaults({name: trained[name] for name in kept if name in trained})
