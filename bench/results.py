"""Measure what RESULTS.md says, and write it there: `make results`, or `python bench/results.py atis` for one table.

A table takes its runs one after another and keeps each under results/, so that a table that was stopped goes on where
it stood; remove that folder to measure anew. The data are looked for in ../shared/data, or where $TIMELOOM_DATA points.
"""

from __future__ import annotations

import os
import statistics
import sys
from collections.abc import Callable
from pathlib import Path

from memory import memory
from page import PAGE, ROOT, machine, write_section

from timeloom.core import TimeloomError, UsageError
from timeloom.tasks.tagging import TaggerOptions, TaggingData, TaggingRun, train_tagger
from timeloom.train import TerminalWatch, TrainingOptions

RUNS = ROOT / "results"
ATIS_SEEDS = (1, 2, 3)


def atis() -> str:
    """Slot filling on ATIS with the defaults of `timeloom train tag`, words only."""
    folder = data("atis")
    files = TaggingData(str(folder / "train"), valid=str(folder / "valid"), test=str(folder / "test"))
    runs: list[TaggingRun] = []
    for seed in ATIS_SEEDS:
        out = RUNS / "atis" / f"seed-{seed}"
        print(f"ATIS, seed {seed}", file=sys.stderr)
        out.parent.mkdir(parents=True, exist_ok=True)
        runs.append(
            train_tagger(
                files,
                TaggerOptions(),
                TrainingOptions(seed=seed),
                out,
                resume=True,
                watch=TerminalWatch(),
            )
        )
    rows = [
        f"| {seed} | {run.test.chunks.overall.f1:.2f} | {run.valid.chunks.overall.f1:.2f} "
        f"| {run.progress.best_epoch + 1} of {run.progress.epoch} | {run.progress.seconds / 60:.1f} |"
        for seed, run in zip(ATIS_SEEDS, runs, strict=True)
        if run.test is not None
    ]
    scores = [run.test.chunks.overall.f1 for run in runs if run.test is not None]
    return "\n".join(
        [
            "## Slot filling on ATIS",
            "",
            "4,478 / 500 / 893 sentences, 120 slot tags. The defaults of `timeloom train tag`: a bidirectional LSTM "
            "over words, nothing pretrained, cross-entropy at every step; the epoch is picked by the F1 of the "
            "validation set. Chunk F1 as conlleval counts it.",
            "",
            "| seed | test F1 | validation F1 | best epoch | minutes |",
            "|---|---|---|---|---|",
            *rows,
            f"| **mean ± deviation** | **{statistics.mean(scores):.2f} ± {statistics.stdev(scores):.2f}** | | | |",
            "",
            f"Command: `make results-atis`. Machine: {machine()}.",
        ]
    )


TABLES: dict[str, Callable[[], str]] = {"atis": atis, "memory": lambda: memory(RUNS / "memory")}


def data(name: str) -> Path:
    folder = Path(os.environ.get("TIMELOOM_DATA", ROOT.parent / "shared" / "data")) / name
    if not folder.exists():
        raise UsageError(f"the data set {name} is not at {folder}; set $TIMELOOM_DATA to the folder that has it")
    return folder


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
