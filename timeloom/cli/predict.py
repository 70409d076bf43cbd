"""`timeloom predict MODEL [FILE]`: what it prints depends on the model's task."""

from __future__ import annotations

from collections.abc import Sequence

from timeloom.cli import predict_keyterms, predict_labels, predict_tags
from timeloom.cli.models import task_of
from timeloom.core import UsageError

PREDICTORS = {"tag": predict_tags.run, "classify": predict_labels.run, "keyterms": predict_keyterms.run}


def run(argv: Sequence[str]) -> int:
    task = task_of(argv, otherwise="tag")
    if not argv or (argv[0] in ("-h", "--help") and len(argv) == 1):
        print(
            "Usage: timeloom predict MODEL [FILE] ...\n\nRun a saved model on a file or on standard input.\n\n"
            "timeloom predict MODEL --help lists the options of that model's task: tags of sentences, labels or key "
            "terms of texts."
        )
        return 0 if argv else 2
    if task == "language":
        raise UsageError("a language model goes on with a text: timeloom generate MODEL --prompt ...")
    return PREDICTORS[task](argv)
