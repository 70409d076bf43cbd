"""The table that chose how many members a tagger has by default: sentences whose set of slots training has not seen."""

from __future__ import annotations

import random
import statistics
from collections import defaultdict
from pathlib import Path

from page import machine
from runs import RUNS, data, in_columns, trained

SEEN = 12  # sentences that have a set of slots
SEEDS = (1, 2)
WAYS = {"one": ["--members=1"], "shared": ["--members=1", "--shared_tags"], "two": ["--members=2"]}
PARTS = ("seq.in", "seq.out", "label")


def rare() -> str:
    """Sentences with rare sets of slots."""
    halves = held_out_halves()
    done = trained(
        {
            f"rare/{way}-{half.name}-{seed}": [
                f"--train={half / 'train'}",
                f"--valid={half / 'valid'}",
                "--keep=last",
                f"--seed={seed}",
                *options,
            ]
            for way, options in WAYS.items()
            for seed in SEEDS
            for half in halves
        }
    )
    rows = []
    for way, options in WAYS.items():
        of_way = [run.valid for name, run in done.items() if name.startswith(f"rare/{way}-")]
        f1, labels = ([run[score] for run in of_way] for score in ("f1", "label_accuracy"))
        each = " | ".join(", ".join(f"{score:.2f}" for score in scores) for scores in (f1, labels))
        means = statistics.mean(f1), statistics.mean(labels)
        rows.append(f"| `{' '.join(options)}` | {each} | {in_columns([*means])} | **{statistics.mean(means):.2f}** |")
    sizes = " and ".join(str(len(lines_of(half / "valid" / "label"))) for half in halves)
    return "\n".join(
        [
            "## Sentences with rare sets of slots",
            "",
            f"ATIS without its test part. A set of slots is rare where at most {SEEN} sentences have it. Held out are "
            f"all sentences of half of the rare sets, then of the other half ({sizes} sentences); the others are "
            "learned. The last epoch counts. The last column is the score by which `timeloom train tag` chooses "
            "epochs, and by which the default was chosen; two seeds of one row may differ by more than rows do "
            "([decision 0009](docs/decisions/0009-the-taggers-defaults.md)).",
            "",
            "| options | slot F1 of halves, by seed | intents as strings | mean F1 | mean intents | of both |",
            "|---|---|---|---|---|---|",
            *rows,
            "",
            f"Command: `make results-rare`, {sum(run.minutes for run in done.values()):.0f} minutes of one thread, "
            f"two runs side by side. Machine: {machine()}.",
        ]
    )


def lines_of(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def held_out_halves() -> list[Path]:
    """Two folders, each with `train` and `valid`: sentences whose set of slots is rare are in one of the two valids."""
    lines = [
        tuple(line.strip() for line in sentence)
        for part in ("train", "valid")
        for sentence in zip(*(lines_of(data("atis") / part / name) for name in PARTS), strict=True)
    ]
    with_slots: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
    for number, (_, tags, _) in enumerate(lines):
        with_slots[tuple(sorted({tag[2:] for tag in tags.split() if tag.startswith("B-")}))].append(number)
    few = sorted(slots for slots, numbers in with_slots.items() if len(numbers) <= SEEN)
    random.Random(0).shuffle(few)
    folders = [RUNS / "rare" / f"half-{half}" for half in (0, 1)]
    for half, folder in enumerate(folders):
        held_out = {number for place, slots in enumerate(few) if place % 4 // 2 == half for number in with_slots[slots]}
        for part, wanted in (("train", False), ("valid", True)):
            (folder / part).mkdir(parents=True, exist_ok=True)
            chosen = [line for number, line in enumerate(lines) if (number in held_out) == wanted]
            for column, name in enumerate(PARTS):
                (folder / part / name).write_text("".join(f"{line[column]}\n" for line in chosen), encoding="utf-8")
    return folders
