"""`timeloom look lattice` and `timeloom look transitions`: the chain of a tagger."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from jsonargparse import Namespace
from matplotlib.figure import Figure

from timeloom.cli.parser import make_parser, parse
from timeloom.core import DataError, UsageError
from timeloom.data import Sentence, read_untagged
from timeloom.pictures import tag_lattice, transition_matrix
from timeloom.tasks import Tagger, load_as
from timeloom.tasks.folder import read_config

LATTICE = "one sentence through a tagger: scores, all paths, the best path, marginals"
TRANSITIONS = "which tag follows which, as a tagger with a chain has learned it"


def lattice(argv: Sequence[str]) -> tuple[Figure, Path]:
    parser = make_parser("look lattice", "Draw " + LATTICE + ".")
    parser.add_argument("model", type=str, help="Model folder of a tagger.")
    parser.add_argument("text", type=str, nargs="?", default=None, help="The sentence, its tokens parted by blanks.")
    parser.add_argument("--file", type=str, default=None, help="Take the sentence from a file instead.")
    parser.add_argument("--number", type=int, default=1, help="Which sentence of the file, from 1.")
    parser.add_argument("--rows", type=int, default=12, help="Most tags that are shown.")
    parser.add_argument("--out", type=str, default="lattice.png", help="The picture: .png, .pdf or .svg.")
    options = parse(parser, argv)
    check_rows(options.rows)
    if (options.text is None) == (options.file is None):
        raise UsageError("name a sentence, or a --file to take it from")
    tagger = load_as(Tagger, options.model)
    sentence = Sentence(tuple(options.text.split())) if options.file is None else nth_sentence(options)
    if not sentence.tokens:
        raise UsageError("the sentence is empty")
    return draw_lattice(tagger, sentence, options.rows), Path(options.out)


def nth_sentence(options: Namespace) -> Sentence:
    """The sentence that --file and --number name, read as the training files were."""
    file = read_config(Path(options.model)).get("file", {})
    columns = file.get("token_column", 0), file.get("feature_columns", [])
    number = 0
    for number, sentence in enumerate(read_untagged(options.file, "guess", *columns), start=1):
        if number == options.number:
            return sentence
    raise DataError(f"has {number} sentences, so there is no number {options.number}", options.file)


@torch.inference_mode()
def draw_lattice(tagger: Tagger, sentence: Sentence, rows: int) -> Figure:
    batch = tagger.encode([sentence])
    chain = tagger.chain(tagger(batch), batch)
    return tag_lattice(
        sentence.tokens,
        tagger.tags,
        chain.emissions[0].numpy(),
        chain.marginals()[0].numpy(),
        chain.pair_marginals()[0].numpy(),
        chain.best_path()[0][0].tolist(),
        rows,
    )


def transitions(argv: Sequence[str]) -> tuple[Figure, Path]:
    parser = make_parser("look transitions", "Draw " + TRANSITIONS + ".")
    parser.add_argument("model", type=str, help="Model folder of a tagger.")
    parser.add_argument("--rows", type=int, default=40, help="Most tags that are shown.")
    parser.add_argument("--out", type=str, default="transitions.png", help="The picture: .png, .pdf or .svg.")
    options = parse(parser, argv)
    check_rows(options.rows)
    tagger = load_as(Tagger, options.model)
    if tagger.dependence is None:
        raise UsageError(
            f"{options.model} has the output softmax, for which tags do not depend on each other; train one with "
            "--output crf, perceptron, svm or hmm"
        )
    scores = [part.detach().numpy() for part in tagger.dependence.scores()]
    return transition_matrix(tagger.tags, *scores, most=options.rows), Path(options.out)


def check_rows(rows: int) -> None:
    if rows < 1:
        raise UsageError(f"rows is {rows}, wanted 1 or more")
