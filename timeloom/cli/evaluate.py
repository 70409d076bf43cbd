"""`timeloom evaluate MODEL FILE`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from timeloom.cli.models import task_of, trained_with
from timeloom.cli.parser import make_parser, options_of, parse
from timeloom.core.plain import shown
from timeloom.tasks import (
    Classifier,
    KeytermExtractor,
    LanguageModel,
    evaluate_classifier,
    evaluate_keyterm_extractor,
    evaluate_language_model,
    evaluate_tagger,
    load,
)
from timeloom.tasks.classify import LabelledFile
from timeloom.tasks.keyterms import DocumentFile
from timeloom.tasks.tagging import TaggedFile

FILES: dict[str, type] = {
    "tag": TaggedFile,
    "classify": LabelledFile,
    "keyterms": DocumentFile,
}


def run(argv: Sequence[str]) -> int:
    kind = FILES.get(task_of(argv, otherwise="tag"))
    parser = make_parser("evaluate", "Score a saved model on a file; its options are those of the model's task.")
    parser.add_argument("model", type=str, help="Model folder.")
    parser.add_argument("file", type=str, help="What the model's task reads: tagged sentences, labelled texts, a text.")
    parser.add_argument("--json", action="store_true", help="Print the scores as one JSON object.")
    if kind is not None:
        parser.add_class_arguments(kind, nested_key=None)
        # The training files are the likeliest guess, but for their format, which may well be another.
        trained = {name: value for name, value in trained_with(argv).items() if name not in ("format", "strict")}
        parser.set_defaults(trained)
    options = parse(parser, argv)
    model = load(options.model)
    notes: list[str] = []
    scores: Any
    if isinstance(model, LanguageModel):
        scores = evaluate_language_model(model, options.file)
    elif isinstance(model, Classifier):
        scores, notes = evaluate_classifier(model, options.file, options_of(LabelledFile, options))
    elif isinstance(model, KeytermExtractor):
        scores = evaluate_keyterm_extractor(model, options.file, options_of(DocumentFile, options))
    else:
        scores, notes = evaluate_tagger(model, options.file, options_of(TaggedFile, options))
    for note in notes:
        print(shown(f"note: {note}"), file=sys.stderr)
    print(shown(json.dumps(scores.as_dict(), ensure_ascii=False) if options.json else scores.report()))
    return 0
