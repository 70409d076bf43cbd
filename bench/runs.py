"""Trainings for the tables: each a `timeloom train tag` of its own, kept under results/, two side by side."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from page import ROOT

from timeloom.core import RunError, UsageError

RUNS = ROOT / "results"
SIDE_BY_SIDE = 2  # each with one thread: small batches gain little from a second


@dataclass(frozen=True)
class Done:
    """What a finished training left."""

    test: dict[str, Any]
    valid: dict[str, Any]
    epoch: int
    epochs: int
    minutes: float


def trained(runs: dict[str, list[str]]) -> dict[str, Done]:
    """The runs by name, with the options of `timeloom train tag` that each has.

    What is finished already is not repeated, what was stopped goes on.
    """
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        return dict(zip(runs, pool.map(train, runs, runs.values()), strict=True))


def train(name: str, words: list[str]) -> Done:
    out = RUNS / name
    out.parent.mkdir(parents=True, exist_ok=True)
    # --resume sees to it that a run of other options or other data is not taken for this one.
    command = [sys.executable, "-m", "timeloom", "train", "tag", "--resume", "--quiet", f"--out={out}", *words]
    ended = subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True)
    if ended.returncode:
        raise RunError(f"{name}: {ended.stderr.strip()}\n  the command: {' '.join(command)}")
    config = json.loads((out / "config.json").read_text(encoding="utf-8"))
    with (out.with_name(out.name + ".training") / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    minutes = sum(float(row["seconds"]) for row in rows) / 60
    done = Done(config["scores"]["test"], config["scores"]["valid"], config["epoch"], len(rows), minutes)
    print(f"{name}: test F1 {done.test['f1']:.2f}, {minutes:.1f} minutes", file=sys.stderr, flush=True)
    return done


def data(name: str) -> Path:
    folder = Path(os.environ.get("TIMELOOM_DATA", ROOT.parent / "shared" / "data")) / name
    if not folder.exists():
        raise UsageError(f"the data set {name} is not at {folder}; set $TIMELOOM_DATA to the folder that has it")
    return folder
