"""`timeloom predict MODEL [FILE]` for classifiers."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.text import Text

from timeloom.cli.models import trained_with
from timeloom.cli.parser import make_parser, options_of, parse
from timeloom.cli.predict_tags import grouped
from timeloom.core import UsageError
from timeloom.core.files import write_whole
from timeloom.core.plain import shown
from timeloom.data import Example
from timeloom.data.readers.text import numbered_lines
from timeloom.pictures import as_picture, picture_suffix, word_weights
from timeloom.tasks import Classifier, load_as
from timeloom.tasks.classify import Explanation, LabelledFile, explain_label


def run(argv: Sequence[str]) -> int:
    parser = make_parser("predict", "The label of each text: one a line, or in any format that training reads.")
    parser.add_argument("model", type=str, help="Model folder of a classifier.")
    parser.add_argument("file", type=str, nargs="?", default="-", help="Texts, or series; - is standard input, lines.")
    parser.add_argument(
        "--output", type=Literal["lines", "json"], default="lines", help="Print columns or JSON for each text."
    )
    parser.add_argument(
        "--explain",
        action="store_true",
        help="Also show what each word did for the label: green for it, red against it, underlined where attention "
        "looked; as numbers where the output is no terminal.",
    )
    parser.add_argument(
        "--picture", type=str, default=None, help="Draw the first text's explanation to this .png, .pdf or .svg file."
    )
    parser.add_class_arguments(LabelledFile, nested_key=None)
    trained = trained_with(argv)
    kept = ("text_column", "label_column", "label_separator", "label_until", "delimiter", "encoding")
    kept += ("format",) if trained.get("format") in ("steps", "ts", "ucr") else ()  # which no name of a file tells
    parser.set_defaults({name: trained[name] for name in kept if name in trained})
    options = parse(parser, argv)
    classifier = load_as(Classifier, options.model)
    if (options.explain or options.picture) and classifier.tokenizer is None:
        raise UsageError("only texts can be explained, and this classifier reads series of vectors")
    if options.picture:
        picture_suffix(options.picture)
        if not Path(options.picture).parent.is_dir():  # rather said before the work than after it
            raise UsageError(f"there is no folder {Path(options.picture).parent} for the picture")
    streaming = options.file == "-"
    console = Console(highlight=False, soft_wrap=True, markup=False, emoji=False)  # a text says what it says
    drawn = False
    for group in grouped(examples_of(options.file, options_of(LabelledFile, options)), 1 if streaming else 64):
        for example, chances in zip(group, classifier.probabilities(group), strict=True):
            why = None
            if (options.explain or (options.picture and not drawn)) and str(example.content).strip():
                why = explain_label(classifier, str(example.content))
            if options.picture and why is not None and not drawn:
                title = f"label {shown(why.label)}, probability {why.probability:.2f}"
                figure = word_weights([shown(word) for word in why.words], why.influence, why.attention, title)
                write_whole(options.picture, as_picture(figure, picture_suffix(options.picture)))
                print(f"picture: {options.picture}", file=sys.stderr)
                drawn = True
            likely = dict(zip(classifier.labels, chances.tolist(), strict=True))
            labels = classifier.chosen(chances)
            if options.output == "json":
                print(shown(as_json(labels, likely, why if options.explain else None)), flush=streaming)
                continue
            print("\t".join(f"{shown(label)}\t{likely[label]:.4f}" for label in labels) or "-", flush=streaming)
            if options.explain and why is not None:
                explained = f"  {shown(why.label)}:" if classifier.several else " "
                console.print(explained, end="")
                console.print(coloured(why) if console.is_terminal else numbered(why))
    if options.picture and not drawn:
        print(f"note: there was no text to draw, so {options.picture} was not written", file=sys.stderr)
    return 0


def examples_of(file: str, written: LabelledFile) -> Iterator[Example]:
    """The examples one after another; of standard input as its lines come."""
    if file == "-":
        for number, line in numbered_lines(sys.stdin):
            yield Example(line, (), number)
    else:
        yield from written.read(file, labelled=False)


def as_json(labels: Sequence[str], likely: dict[str, float], why: Explanation | None) -> str:
    line: dict[str, object] = {
        "labels": list(labels),
        "probabilities": {label: float(f"{chance:.6g}") for label, chance in likely.items()},
    }
    if why is not None:
        line["explained"] = why.label
        line["words"] = why.words
        line["influence"] = [float(f"{value:.4g}") for value in why.influence]
        if why.attention is not None:
            line["attention"] = [float(f"{value:.4g}") for value in why.attention]
    return json.dumps(line, ensure_ascii=False)


def numbered(why: Explanation) -> str:
    """The words with their influence, for where there are no colours."""
    return " " + " ".join(f"{shown(word)}({value:+.2f})" for word, value in zip(why.words, why.influence, strict=True))


def coloured(why: Explanation) -> Text:
    """The words, green where they speak for the label and red where against, underlined where attention looked."""
    most = max(map(abs, why.influence), default=0.0) or 1.0
    text = Text(" ")
    for place, (word, influence) in enumerate(zip(why.words, why.influence, strict=True)):
        share = influence / most
        strong = round(200 * abs(share))
        colour = f"rgb(0,{55 + strong},0)" if share > 0 else f"rgb({55 + strong},0,0)"
        looked = why.attention is not None and why.attention[place] > 1.5 / len(why.words)
        text.append(shown(word), f"{colour if abs(share) > 0.1 else 'default'}{' underline' if looked else ''}")
        text.append(" ")
    return text
