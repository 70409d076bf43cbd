"""The table of tags that share weights: ATIS, on sets of slots that training has not seen."""

from __future__ import annotations

import random
import statistics
from collections import defaultdict
from pathlib import Path

from page import machine
from runs import RUNS, data, trained

SEEDS = (1, 2)
RARE = 12  # sentences that have a set of slots
WAYS = {"own": "weights of its own alone (`--no_shared_tags`)", "shared": "shared weights, too (default)"}
PARTS = ("seq.in", "seq.out", "label")


def sharing() -> str:
    """Tags that share weights."""
    halves = held_out_halves()
    runs = {
        f"sharing/{way}-{half.name}-{seed}": [
            f"--train={half / 'train'}",
            f"--valid={half / 'valid'}",
            "--keep=last",
            f"--seed={seed}",
            *(["--no_shared_tags"] if way == "own" else []),
        ]
        for way in WAYS
        for half in halves
        for seed in SEEDS
    }
    done = trained(runs)
    rows = []
    for way, meaning in WAYS.items():
        of_way = [run for name, run in done.items() if name.startswith(f"sharing/{way}-")]
        f1, labels = ([run.valid[score] for run in of_way] for score in ("f1", "label_accuracy"))
        each = ", ".join(f"{score:.2f}" for score in f1)
        rows.append(f"| {meaning} | **{statistics.mean(f1):.2f}** | {each} | {statistics.mean(labels):.2f} |")
    sizes = " and ".join(str(len((half / "valid" / "label").read_text().splitlines())) for half in halves)
    return "\n".join(
        [
            "## Tags that share weights",
            "",
            f"ATIS without its test part, by default. A set of slots is rare where at most {RARE} sentences have it. "
            f"Held out are all sentences of half of the rare sets, then of the other half ({sizes} sentences); the "
            "others are learned. The last epoch counts, so nothing was picked by these scores but the default itself.",
            "",
            "| a tag has | slot F1 | each half with seeds 1 and 2 | intents as strings |",
            "|---|---|---|---|",
            *rows,
            "",
            f"Command: `make results-sharing`, {sum(run.minutes for run in done.values()):.0f} minutes of one thread, "
            f"two runs side by side. Machine: {machine()}.",
        ]
    )


def held_out_halves() -> list[Path]:
    """Two folders, each with `train` and `valid`: sentences whose set of slots is rare are in one of the two valids."""
    lines = [
        tuple(line.strip() for line in sentence)
        for part in ("train", "valid")
        for sentence in zip(*((data("atis") / part / name).open(encoding="utf-8") for name in PARTS), strict=True)
    ]
    with_slots: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
    for number, (_, tags, _) in enumerate(lines):
        with_slots[tuple(sorted({tag[2:] for tag in tags.split() if tag.startswith("B-")}))].append(number)
    rare = sorted(slots for slots, numbers in with_slots.items() if len(numbers) <= RARE)
    random.Random(0).shuffle(rare)
    folders = [RUNS / "sharing" / f"half-{half}" for half in (0, 1)]
    for half, folder in enumerate(folders):
        held_out = {
            number for place, slots in enumerate(rare) if place % 4 // 2 == half for number in with_slots[slots]
        }
        for part, wanted in (("train", False), ("valid", True)):
            (folder / part).mkdir(parents=True, exist_ok=True)
            chosen = [line for number, line in enumerate(lines) if (number in held_out) == wanted]
            for column, name in enumerate(PARTS):
                (folder / part / name).write_text("".join(f"{line[column]}\n" for line in chosen), encoding="utf-8")
    return folders
