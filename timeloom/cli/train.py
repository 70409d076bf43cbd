"""`timeloom train TASK`."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser

from timeloom.cli.compiling import compiling_told
from timeloom.cli.parser import add_config, make_parser, options_of, parse
from timeloom.core import UsageError
from timeloom.core.plain import shown
from timeloom.data import TextOptions, WindowOptions
from timeloom.tasks import Trained, classify, keyterms, language, tagging
from timeloom.tasks.folder import run_options, training_folder
from timeloom.tasks.runs import RUN, check_task, recall_run
from timeloom.train import Interrupted, NotesWatch, Progress, TerminalWatch, TrainingOptions


@dataclass(frozen=True)
class Task:
    """What `timeloom train` has to know of a task.

    `options` by the names that `train` has for them; `defaults` are instances of some of these, with the task's own
    defaults. `tell` gives the lines at the end.
    """

    what: str
    options: dict[str, type]
    train: Callable[..., Any]
    tell: Callable[[Any, dict[str, Any]], str]
    defaults: tuple[Any, ...] = ()


def run(argv: Sequence[str]) -> int:
    if not argv or argv[0] in ("-h", "--help"):
        rows = "\n".join(f"  {name:<10}{task.what}" for name, task in TASKS.items())
        print(f"Usage: timeloom train TASK ...\n\nTasks:\n{rows}\n\ntimeloom train TASK --help lists a task's options.")
        return 0 if argv else 2
    if argv[0] not in TASKS:
        raise UsageError(f"there is no task {argv[0]!r} to train; there are: {', '.join(TASKS)}")
    return train(argv[0], TASKS[argv[0]], argv[1:])


def parser_of(name: str) -> ArgumentParser:
    """The options of a task, with its defaults."""
    task = TASKS[name]
    parser = make_parser(f"train {name}", f"Train a model: {task.what}.")
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
    parser.add_argument("--quiet", action="store_true", help="No progress, only notes and the scores at the end.")
    for kind in task.options.values():
        parser.add_class_arguments(kind, nested_key=None)
    for own in task.defaults:
        parser.set_defaults(asdict(own))
    return parser


def train(name: str, task: Task, argv: Sequence[str]) -> int:
    parser = parser_of(name)
    if "--resume" in argv:
        begun = options_of_earlier_start(name, argv, {action.dest for action in parser._actions})
        if not begun and not any(word.startswith(("--train", "--config")) for word in argv):
            raise UsageError("there is no run to go on with at --out; name --train to begin one")
        parser.set_defaults(begun)
    options = parse(parser, argv)
    out = Path(options.out)
    watch = NotesWatch() if options.quiet else TerminalWatch()
    before = None if options.resume else time_of(training_folder(out) / RUN)
    chosen = {part: options_of(kind, options) for part, kind in task.options.items()}
    try:
        with compiling_told():
            result = task.train(**chosen, out=out, resume=options.resume, overwrite=options.overwrite, watch=watch)
    except (Interrupted, KeyboardInterrupt) as stop:
        again = how_to_go_on(name, out, before)
        raise Interrupted(f"{str(stop) or 'outside the training steps'}.\n{again}") from stop
    print(shown(task.tell(result, chosen)))
    print(f"model: {result.folder}   curves: {result.folder / 'curves.png'}   logs: {training_folder(result.folder)}")
    sys.stdout.flush()
    return 0


def how_to_go_on(task: str, out: Path, before: int | None) -> str:
    """What to do after a stop; `before` is when the run that stood at `out` earlier was begun."""
    if time_of(training_folder(out) / RUN) == before:
        kept = "" if before is None else f" {out} is still the model of before."
        return f"  Nothing was begun yet; the same command starts it.{kept}"
    return f"  Go on with: {shlex.join(['timeloom', 'train', task, '--out', str(out), '--resume'])}"


def time_of(path: Path) -> int | None:
    """When a file was written, in nanoseconds; None where there is none."""
    return path.stat().st_mtime_ns if path.exists() else None


def options_of_earlier_start(task: str, argv: Sequence[str], known: Collection[str]) -> dict[str, object]:
    """What the run that is resumed was started with, by option."""
    out = next((value for name, value in pairwise(argv) if name == "--out"), None)
    out = out or next((word.removeprefix("--out=") for word in argv if word.startswith("--out=")), None)
    run = recall_run(training_folder(out) / RUN) if out else None
    if run is None:
        return {}
    workshop = training_folder(str(out))
    check_task(run, task, workshop)
    begun = run_options(run)
    if strange := [option for option in begun if option not in known]:
        raise UsageError(
            f"cannot resume {workshop}: it was begun by a version of Timeloom that has {strange[0]}; this has not.\n"
            "  Go on with that version, or start anew with --overwrite."
        )
    return begun


def kept_epoch(progress: Progress) -> str:
    return f"epoch {progress.best_epoch + 1} of {len(progress.history)} is kept"


def tell_tagger(result: Trained[tagging.Tagger, tagging.TaggingScores], options: dict[str, Any]) -> str:
    row = result.progress.history[result.progress.best_epoch]
    labels = f", labels {row['label_accuracy']:.2f} %," if "label_accuracy" in row else ""
    learned = ", which it has learned, too" if options["data"].train_on_valid else ""
    score = f"accuracy {row['accuracy']:.2f} %" if result.model.plain else f"F1 {row['f1']:.2f}"
    line = (
        f"{kept_epoch(result.progress)}: {score}{labels} on the validation data{learned}; "
        f"{result.progress.seconds:.0f} s of training"
    )
    return line if result.test is None else f"{result.test.report()}\n{line}"


def tell_classifier(result: Trained[classify.Classifier, classify.LabelScores], options: dict[str, Any]) -> str:
    line = (
        f"{kept_epoch(result.progress)}: {result.valid.accuracy:.2f} % of {result.valid.examples} examples right on "
        f"the validation data; {result.progress.seconds:.0f} s of training"
    )
    return line if result.test is None else f"{result.test.report()}\n{line}"


def tell_keyterm_extractor(
    result: Trained[keyterms.KeytermExtractor, keyterms.KeytermScores], options: dict[str, Any]
) -> str:
    line = (
        f"{kept_epoch(result.progress)}: F1 of the best 10 terms {result.valid.f1_at[10]:.2f} on the validation data; "
        f"{result.progress.seconds:.0f} s of training"
    )
    return line if result.test is None else f"{result.test.report()}\n{line}"


def tell_language_model(result: Trained[language.LanguageModel, language.TextScores], options: dict[str, Any]) -> str:
    steps, seconds = result.progress.steps, result.progress.seconds
    line = f"{kept_epoch(result.progress)}; {steps} steps in {seconds:.0f} s of training"
    tests = [] if result.test is None else [f"test: {result.test.report()}"]
    return "\n".join([*tests, f"validation: {result.valid.report()}", line])


TASKS = {
    "tag": Task(
        "one tag for each word, as chunks: slots, names, phrases",
        {
            "data": tagging.TaggingData,
            "file": tagging.TaggedFile,
            "model": tagging.TaggerOptions,
            "training": TrainingOptions,
        },
        tagging.train_tagger,
        tell_tagger,
    ),
    "classify": Task(
        "one label or several for a whole text, or a whole series of vectors",
        {
            "data": classify.ClassifyData,
            "file": classify.LabelledFile,
            "text": TextOptions,
            "model": classify.ClassifierOptions,
            "training": TrainingOptions,
        },
        classify.train_classifier,
        tell_classifier,
        (classify.CLASSIFY_TEXT, classify.CLASSIFY_TRAINING),
    ),
    "keyterms": Task(
        "which words of a document are its key terms",
        {
            "data": keyterms.KeytermData,
            "file": keyterms.DocumentFile,
            "model": keyterms.KeytermOptions,
            "training": TrainingOptions,
        },
        keyterms.train_keyterm_extractor,
        tell_keyterm_extractor,
        (keyterms.KEYTERM_TRAINING,),
    ),
    "language": Task(
        "the next character, word or byte pair of a text",
        {
            "data": language.LanguageData,
            "text": TextOptions,
            "model": language.LanguageOptions,
            "windows": WindowOptions,
            "training": TrainingOptions,
        },
        language.train_language_model,
        tell_language_model,
        (language.LANGUAGE_TEXT, language.LANGUAGE_TRAINING),
    ),
}
