"""`timeloom cells [NAME]`: which recurrences there are, and what one is."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Sequence

from timeloom.cells import CELLS
from timeloom.cli.parser import make_parser, parse
from timeloom.core import UsageError
from timeloom.layers import Recurrent, describe, references


def run(argv: Sequence[str]) -> int:
    parser = make_parser(
        "cells",
        "List the recurrent cells, or describe one: its equation, parameters, state, memory for each step, and where "
        "it comes from, as BibTeX.",
    )
    parser.add_argument("name", type=str, nargs="?", help="One of the names that are listed without it.")
    parser.add_argument("--input_size", type=int, default=80, help="Features of the input to count parameters for.")
    parser.add_argument("--hidden_size", type=int, default=256, help="Units to count parameters for.")
    options = parse(parser, argv)
    if options.name is None:
        print("\n".join(f"{name:<18}{sentence(kind)}" for name, kind in CELLS.items()))
        return 0
    for size in ("input_size", "hidden_size"):
        if getattr(options, size) < 1:
            raise UsageError(f"--{size} is {getattr(options, size)}, wanted 1 or more")
    name = options.name.lower().removesuffix("cell")
    if name not in CELLS:
        near = difflib.get_close_matches(name, CELLS, n=1)
        meant = f"did you mean {near[0]}? " if near else ""
        raise UsageError(f"there is no cell {options.name!r}; {meant}there are: {', '.join(CELLS)}")
    kind: type = CELLS[name]
    layer = Recurrent(kind(options.input_size, options.hidden_size))
    print(f"{describe(layer)}\n\n{references(layer)}")
    return 0


def sentence(kind: type) -> str:
    """What the docstring begins with."""
    return " ".join((inspect.getdoc(kind) or "").split("\n\n")[0].split())
