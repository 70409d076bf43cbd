"""`timeloom sample FOLDER`."""

from __future__ import annotations

from collections.abc import Sequence

from timeloom.cli.parser import make_parser, parse
from timeloom.data import write_travel_corpus


def run(argv: Sequence[str]) -> int:
    parser = make_parser(
        "sample",
        "Write the shipped sample corpus: travel requests made by a small grammar, tagged with destination, "
        "departure, stopover and time. Something to start from before your own data.",
    )
    parser.add_argument("folder", type=str, help="Folder for train.conll, valid.conll and test.conll.")
    options = parse(parser, argv)
    for path in write_travel_corpus(options.folder):
        print(path)
    return 0
