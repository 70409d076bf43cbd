"""`timeloom train TASK`."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from timeloom.cli.parser import add_config, make_parser, options_of, parse
from timeloom.core import UsageError
from timeloom.tasks.folder import run_options, training_folder
from timeloom.tasks.runs import RUN, recall_run
from timeloom.tasks.tagging import TaggedFile, TaggerOptions, TaggingData, TaggingRun, train_tagger
from timeloom.train import Interrupted, NotesWatch, TerminalWatch, TrainingOptions

TASKS = {"tag": "one tag for each word, as chunks: slots, names, phrases"}


def run(argv: Sequence[str]) -> int:
    if not argv or argv[0] in ("-h", "--help"):
        rows = "\n".join(f"  {name:<10}{what}" for name, what in TASKS.items())
        print(f"Usage: timeloom train TASK ...\n\nTasks:\n{rows}\n\ntimeloom train TASK --help lists a task's options.")
        return 0 if argv else 2
    if argv[0] not in TASKS:
        raise UsageError(f"there is no task {argv[0]!r} to train; there are: {', '.join(TASKS)}")
    return train_tag(argv[1:])


def train_tag(argv: Sequence[str]) -> int:
    parser = make_parser("train tag", "Train a tagger: " + TASKS["tag"] + ".")
    add_config(parser)
    parser.add_argument("--out", type=str, required=True, help="Folder the model is saved as.")
    parser.add_argument(
        "--resume",
        action="store_true",
        help="Go on with the run that was to give --out; its options need not be repeated.",
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="Replace the folder of the model at --out, whatever is in it, and its training.",
    )
    parser.add_argument("--quiet", action="store_true", help="No progress, only the scores at the end.")
    for kind in (TaggingData, TaggedFile, TaggerOptions, TrainingOptions):
        parser.add_class_arguments(kind, nested_key=None)
    if "--resume" in argv:
        begun = options_of_earlier_start(argv)
        if not begun and not any(word.startswith(("--train", "--config")) for word in argv):
            raise UsageError("there is no run to go on with at --out; name --train to begin one")
        parser.set_defaults(begun)
    options = parse(parser, argv)
    out = Path(options.out)
    watch = NotesWatch() if options.quiet else TerminalWatch()
    before = None if options.resume else time_of(training_folder(out) / RUN)
    try:
        result = train_tagger(
            options_of(TaggingData, options),
            options_of(TaggerOptions, options),
            options_of(TrainingOptions, options),
            out,
            file=options_of(TaggedFile, options),
            resume=options.resume,
            overwrite=options.overwrite,
            watch=watch,
        )
    except (Interrupted, KeyboardInterrupt) as stop:
        raise Interrupted(f"{str(stop) or 'outside the training steps'}.\n{how_to_go_on(out, before)}") from stop
    tell_result(result, options.train_on_valid)
    return 0


def how_to_go_on(out: Path, before: int | None) -> str:
    """What to do after a stop; `before` is when the run that stood at `out` earlier was begun."""
    if time_of(training_folder(out) / RUN) == before:
        kept = "" if before is None else f" {out} is still the model of before."
        return f"  Nothing was begun yet; the same command starts it.{kept}"
    return f"  Go on with: {shlex.join(['timeloom', 'train', 'tag', '--out', str(out), '--resume'])}"


def time_of(path: Path) -> int | None:
    """When a file was written, in nanoseconds; None where there is none."""
    return path.stat().st_mtime_ns if path.exists() else None


def options_of_earlier_start(argv: Sequence[str]) -> dict[str, object]:
    """What the run that is resumed was started with, by option."""
    out = next((value for name, value in pairwise(argv) if name == "--out"), None)
    out = out or next((word.removeprefix("--out=") for word in argv if word.startswith("--out=")), None)
    run = recall_run(training_folder(out) / RUN) if out else None
    return run_options(run or {})


def tell_result(result: TaggingRun, learned: bool) -> None:
    """`learned` says that the validation data were part of the training."""
    progress = result.progress
    if result.test is not None:
        print(result.test.report())
    row = progress.history[progress.best_epoch]
    labels = f", labels {row['label_accuracy']:.2f} %," if "label_accuracy" in row else ""
    on = "the validation data, which it has learned, too" if learned else "the validation data"
    print(
        f"epoch {progress.best_epoch + 1} of {len(progress.history)} is kept: F1 {row['f1']:.2f}{labels} on {on}; "
        f"{progress.seconds:.0f} s of training"
    )
    print(f"model: {result.folder}   curves: {result.folder / 'curves.png'}   logs: {training_folder(result.folder)}")
    sys.stdout.flush()
