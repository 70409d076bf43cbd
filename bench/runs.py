"""Trainings for the tables: each a `timeloom train` of its own, kept under results/."""

from __future__ import annotations

import csv
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from page import ROOT

from timeloom.cli.parser import parse
from timeloom.cli.train import parser_of
from timeloom.core import RunError, UsageError
from timeloom.tasks.folder import run_options
from timeloom.tasks.runs import RUN, recall_run

RUNS = ROOT / "results"
SIDE_BY_SIDE = 2  # each with one thread: small batches gain little from a second


@dataclass(frozen=True)
class Done:
    """What a finished training left; no test scores where there was no test part."""

    test: dict[str, Any]
    valid: dict[str, Any]
    epoch: int
    epochs: int
    minutes: float


def trained(runs: dict[str, list[str]], task: str = "tag", at_a_time: int = SIDE_BY_SIDE) -> dict[str, Done]:
    """The runs by name, with the options of `timeloom train TASK` that each has.

    What is finished already is not repeated, what was stopped goes on. One after another they have all threads, side by
    side one each.
    """
    with ThreadPoolExecutor(at_a_time) as pool:
        threads = {"OMP_NUM_THREADS": "1"} if at_a_time > 1 else {}
        done = pool.map(lambda name: train(name, task, runs[name], threads), runs)
        return dict(zip(runs, done, strict=True))


def train(name: str, task: str, words: list[str], threads: dict[str, str]) -> Done:
    out = RUNS / name
    out.parent.mkdir(parents=True, exist_ok=True)
    workshop = out.with_name(out.name + ".training")
    options = parse(parser_of(task), [f"--out={out}", *words])
    for option, value in run_options(recall_run(workshop / RUN) or {}).items():
        if getattr(options, option, value) != value:  # --resume would take it from there
            wanted = getattr(options, option)
            raise RunError(f"{out} had {option} {value}, now {wanted} is wanted; remove it and {workshop.name}")
    command = [sys.executable, "-m", "timeloom", "train", task, "--resume", "--quiet", f"--out={out}", *words]
    ended = subprocess.run(command, env={**os.environ, **threads}, capture_output=True, text=True)
    if ended.returncode:
        raise RunError(f"{name}: {ended.stderr.strip()}\n  the command: {' '.join(command)}")
    config = json.loads((out / "config.json").read_text(encoding="utf-8"))
    with (workshop / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    minutes = sum(float(row["seconds"]) for row in rows) / 60
    print(f"{name}: {minutes:.1f} minutes", file=sys.stderr, flush=True)
    scores = config["scores"]
    return Done(scores.get("test", {}), scores["valid"], config["epoch"], len(rows), minutes)


def side_by_side(work: Callable[..., Any], jobs: Sequence[tuple[Any, ...]]) -> Iterator[Any]:
    """What `work` gives for each of the jobs, in their order; as many at a time as trainings are, a thread each."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(SIDE_BY_SIDE, context, torch.set_num_threads, (1,)) as pool:
        yield from pool.map(work, *zip(*jobs, strict=True))


def mean_and_deviation(values: Sequence[float]) -> str:
    return f"**{statistics.mean(values):.2f} ± {statistics.stdev(values):.2f}**"


def in_columns(scores: Sequence[float]) -> str:
    return " | ".join(f"{score:.2f}" for score in scores)


def data(name: str) -> Path:
    folder = Path(os.environ.get("TIMELOOM_DATA", ROOT.parent / "shared" / "data")) / name
    if not folder.exists():
        raise UsageError(f"the data set {name} is not at {folder}; set $TIMELOOM_DATA to the folder that has it")
    return folder
