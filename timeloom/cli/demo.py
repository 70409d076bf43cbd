"""`timeloom demo`: the whole way from a corpus to tagged sentences, with the commands that do each step."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from timeloom.cli import evaluate, look, sample, train
from timeloom.cli.parser import make_parser, parse
from timeloom.core import UsageError
from timeloom.core.files import write_whole
from timeloom.data import LECTURE_SENTENCES, chunks
from timeloom.pictures import as_png, tag_probabilities
from timeloom.tasks import Tagger, load_as
from timeloom.tasks.folder import read_config, training_folder

WITHOUT_VERB = "Taipei on November 2nd"


def run(argv: Sequence[str]) -> int:
    parser = make_parser("demo", "Train a slot filler on the shipped sample corpus and show what it learned.")
    parser.add_argument("--out", type=str, default="demo", help="Folder for the corpus and the model.")
    parser.add_argument("--epochs", type=int, default=8, help="Passes over the training data.")
    options = parse(parser, argv)
    out = Path(options.out)
    console = Console(highlight=False, soft_wrap=True)
    corpus, model = out / "corpus", out / "model"

    def announce(*words: object) -> list[str]:
        given = [str(word) for word in words]
        console.print(f"\n[bold]$ timeloom {shlex.join(given)}[/bold]")
        return given[1:]

    how = start(model, corpus)
    sample.run(announce("sample", corpus))
    files = [f"--{part}={corpus / part}.conll" for part in ("train", "valid")]
    train.run(announce("train", "tag", *files, f"--epochs={options.epochs}", f"--out={model}", *how))
    console.print(
        "\nScores on the test sentences: half of them name cities that training never names, half have a pattern that "
        "it never has:"
    )
    evaluate.run(announce("evaluate", model, corpus / "test.conll"))

    console.print("\nWhat it makes of the lecture's two sentences, which it has never seen:")
    tagger = load_as(Tagger, model)
    sentences = [line.split() for line in LECTURE_SENTENCES]
    for tokens, tags in zip(sentences, tagger.tag(sentences), strict=True):
        console.print(marked(tokens, tags))
    picture = tag_probabilities(sentences, tagger.tags, [tagger.probabilities(s).numpy() for s in sentences])
    write_whole(out / "slots.png", as_png(picture))
    console.print(
        "\nThe same without the verb, which nobody can know: every way to tag it, and which tag may follow which:"
    )
    look.run(announce("look", "lattice", model, WITHOUT_VERB, "--out", out / "lattice.png"))
    look.run(announce("look", "transitions", model, "--out", out / "transitions.png"))
    console.print(
        f"\nThe model lies in {model}, its logs in {training_folder(model)}.\n"
        f"More pictures: how training went, {model / 'curves.png'}; what it thinks of each word, {out / 'slots.png'}.\n"
        "Now your own file: timeloom train tag --train YOURS.conll --out models/yours"
    )
    return 0


def start(model: Path, corpus: Path) -> list[str]:
    """How to begin: go on with a demo that was stopped, replace one that has ended, and nothing else."""
    if not model.exists():
        return ["--resume"] if training_folder(model).exists() else []
    trained_on = read_config(model).get("data", {}).get("train")
    if trained_on != str(corpus / "train.conll"):
        raise UsageError(f"{model} was trained on {trained_on}, not by a demo in this folder; give another --out")
    return ["--overwrite"]


def marked(tokens: Sequence[str], tags: Sequence[str]) -> Text:
    """The sentence with its chunks in colour and their types behind them."""
    begins = {chunk.start: chunk for chunk in chunks(tags)}
    line, position = Text("  "), 0
    while position < len(tokens):
        chunk = begins.get(position)
        end = chunk.end if chunk else position + 1
        line.append(" ".join(tokens[position:end]), style="bold green" if chunk else "")
        line.append(f" [{chunk.type}] " if chunk else " ", style="cyan")
        position = end
    line.rstrip()
    return line
