"""The adding problem: whether identity-initialised ReLU networks match the LSTM, with clipping and without."""

from __future__ import annotations

import json
import statistics
import sys
import time
from dataclasses import asdict
from pathlib import Path

from page import ROOT, machine
from runs import RUNS, SIDE_BY_SIDE, side_by_side

from timeloom.core.files import write_whole
from timeloom.pictures import as_png, learning_curves
from timeloom.tasks.adding import AddingOptions, learn_adding, make_adder

LENGTHS, SEEDS = (150, 300), (1, 2)
LEARNERS = {  # a cell, how it begins, and whether its gradient is clipped
    "elman": ("elman", None, True),
    "irnn": ("irnn", None, True),
    "lstm": ("lstm", None, True),
    "lstm, forget bias 1": ("lstm", "forget-bias", True),
    "gru": ("gru", None, True),
    "clockwork": ("clockwork", None, True),
    "elman, not clipped": ("elman", None, False),
    "irnn, not clipped": ("irnn", None, False),
}
STEPS, HIDDEN, BATCH, RATE, CLIP = 10_000, 100, 16, 1e-3, 1.0
CONSTANT = 1 / 6
PICTURE = ROOT / "docs" / "pictures" / "adding.png"


def adding() -> str:
    """Squared errors of the last steps, and the picture of all."""
    folder = RUNS / "adding"
    folder.mkdir(parents=True, exist_ok=True)
    jobs = [(folder, name, T, seed) for seed in SEEDS for T in LENGTHS for name in LEARNERS]
    found: dict[tuple[str, int], list[list[float]]] = {}
    minutes = 0.0
    for (_, name, T, _), (losses, seconds) in zip(jobs, side_by_side(learned, jobs), strict=True):
        found.setdefault((name, T), []).append(losses)
        minutes += seconds / 60
    panels = {f"T = {T}": {name: found[name, T] for name in LEARNERS} for T in LENGTHS}
    write_whole(PICTURE, as_png(learning_curves(panels, "squared error", CONSTANT)))
    rows = [f"| {name} | {' | '.join(cells_of(found[name, T]) for T in LENGTHS)} |" for name in LEARNERS]
    return "\n".join(
        [
            "## The adding problem",
            "",
            f"One layer of {HIDDEN} units, {STEPS:,} steps of Adam on fresh batches of {BATCH}, learning rate {RATE}, "
            f"every cell as it begins by itself unless said, gradients clipped at norm {CLIP:g} or not at all. The "
            "mean squared error of the last 200 steps for each of two seeds, and the step after which the mean of 100 "
            "stays below 0.02, if any. A constant answer has 0.167.",
            "",
            f"| cell | {' | '.join(f'T = {T}' for T in LENGTHS)} |",
            f"|{'---|' * (len(LENGTHS) + 1)}",
            *rows,
            "",
            finding(found),
            "",
            "![Squared error over the steps](docs/pictures/adding.png)",
            "",
            f"Command: `make results-adding`, {minutes:.0f} minutes of training, {SIDE_BY_SIDE} at a time with a "
            f"thread each. Machine: {machine()}.",
        ]
    )


def learned(folder: Path, name: str, T: int, seed: int) -> tuple[list[float], float]:
    """The losses of a run and its seconds; a run of the same options that is there already is read."""
    cell, start, clipped = LEARNERS[name]
    path = folder / f"{name.replace(', ', '-').replace(' ', '-')}-{T}-{seed}.json"
    options = AddingOptions(STEPS, T, HIDDEN, BATCH, RATE, CLIP if clipped else None, seed=seed, start=start)
    run = json.loads(path.read_text()) if path.exists() else {}
    if run.get("options") != asdict(options):
        begin = time.perf_counter()
        losses = [loss for loss, _ in learn_adding(make_adder(cell, options), options)]
        run = {"options": asdict(options), "losses": losses, "seconds": time.perf_counter() - begin}
        write_whole(path, json.dumps(run).encode())
    print(f"{path.stem}: {run['losses'][-1]:.4f}, {run['seconds']:.0f} s", file=sys.stderr, flush=True)
    return run["losses"], run["seconds"]


def finding(found: dict[tuple[str, int], list[list[float]]]) -> str:
    """Who learned it, and what became of the claim."""
    able = {T: [name for name, of in found if of == T and all(map(solved_at, found[name, of]))] for T in LENGTHS}
    who = "; ".join(f"at T = {T} by {', '.join(names) or 'none'}" for T, names in able.items())
    irnn, lstm = ([name in able[T] for T in LENGTHS] for name in ("irnn", "lstm, forget bias 1"))
    if irnn != lstm:
        claim = "is not borne out: one learns it where the other does not"
    elif any(lstm):
        claim = "is borne out: both learn it where one does"
    else:
        claim = "is neither borne out nor refuted: neither learns it with both seeds in so few steps"
    return f"Learned with both seeds: {who}. That a ReLU network which begins as the identity matches the LSTM {claim}."


def solved_at(losses: list[float]) -> int | None:
    """The step after which the mean of 100 stays below 0.02, if any."""
    if len(losses) < STEPS:
        return None
    means = [statistics.mean(losses[at - 100 : at]) for at in range(100, STEPS + 1, 50)]
    high = [place for place, mean in enumerate(means) if mean >= 0.02]
    solved = 100 + 50 * (high[-1] + 1) if high else 100
    return None if solved > STEPS else solved


def cells_of(seeds: list[list[float]]) -> str:
    written = []
    for losses in seeds:
        if len(losses) < STEPS:
            written.append(f"no number from step {len(losses)} on")
            continue
        solved, last = solved_at(losses), f"{statistics.mean(losses[-200:]):.4f}"
        written.append(f"{last} ({solved})" if solved else last)
    return " / ".join(written)
