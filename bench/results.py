"""Measure what RESULTS.md says, and write it there: `make results`, or `python bench/results.py atis` for one table.

A table takes its runs one after another and keeps each under results/, so that a table that was stopped goes on where
it stood; remove that folder to measure anew. The data are looked for in ../shared/data, or where $TIMELOOM_DATA points.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from adding import adding
from classify import classify
from keyterms import keyterms
from language import language
from memory import memory
from page import PAGE, write_section
from rare import rare
from runs import RUNS
from small import small
from tagging import atis, chunking, outputs

from timeloom.core import TimeloomError

TABLES: dict[str, Callable[[], str]] = {
    "atis": atis,
    "chunking": chunking,
    "outputs": outputs,
    "rare": rare,
    "classify": classify,
    "small": small,
    "keyterms": keyterms,
    "language": language,
    "adding": adding,
    "memory": lambda: memory(RUNS / "memory"),
}


def main() -> int:
    wanted = sys.argv[1:] or list(TABLES)
    unknown = [name for name in wanted if name not in TABLES]
    if unknown:
        print(f"no table {', '.join(unknown)}; there are: {', '.join(TABLES)}", file=sys.stderr)
        return 2
    try:
        for name in wanted:
            write_section(name, TABLES[name]())
            print(f"{PAGE.name}: {name} written", file=sys.stderr)
    except TimeloomError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
