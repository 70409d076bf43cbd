"""How far back each cell can look: the adding problem and the copy problem, all cells with one budget.

Adding: T pairs (number, mark); the answer is the sum of the two marked numbers, one in each half. A constant answer has
a squared error of 0.167. Copying: ten symbols of eight, T blanks, a sign to begin; the answer is the ten symbols.
Guessing has ln 8 = 2.08 nats a symbol.
"""

from __future__ import annotations

import json
import math
import statistics
import sys
import time
from pathlib import Path

import torch
from page import machine
from torch import Tensor, nn

from timeloom.cells import CELLS
from timeloom.core.files import write_whole
from timeloom.layers import Recurrent
from timeloom.tasks.adding import adding_batch

STEPS, BATCH, HIDDEN, RATE, CLIP = 1500, 32, 64, 2e-3, 1.0
LENGTHS, SEEDS = (100, 200), (1, 2)
SYMBOLS, COPIED = 8, 10


def copying(T: int, draw: torch.Generator) -> tuple[Tensor, Tensor]:
    """x (B, T + 20, 10) one-hot, and the symbols to give back (B, 10)."""
    symbols = torch.randint(SYMBOLS, (BATCH, COPIED), generator=draw)
    ids = torch.full((BATCH, T + 2 * COPIED), SYMBOLS)
    ids[:, :COPIED] = symbols
    ids[:, -COPIED - 1] = SYMBOLS + 1
    return nn.functional.one_hot(ids, SYMBOLS + 2).float(), symbols


def run(name: str, task: str, T: int, seed: int) -> dict[str, float]:
    """Train one cell on one problem; the mean loss of its last hundred batches, none of which it has seen before."""
    torch.manual_seed(seed)
    draw = torch.Generator().manual_seed(seed)
    layer = Recurrent(CELLS[name](2 if task == "adding" else SYMBOLS + 2, HIDDEN))
    read_out = nn.Linear(layer.output_size, 1 if task == "adding" else SYMBOLS)
    parameters = [*layer.parameters(), *read_out.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=RATE)
    losses, begin = [], time.perf_counter()
    for _ in range(STEPS):
        if task == "adding":
            x, wanted = adding_batch(BATCH, T, draw)
            loss = (read_out(layer(x)[0][:, -1])[:, 0] - wanted).square().mean()
        else:
            x, wanted = copying(T, draw)
            loss = nn.functional.cross_entropy(read_out(layer(x)[0][:, -COPIED:]).flatten(0, 1), wanted.flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, CLIP)
        optimizer.step()
        losses.append(loss.item())
        if not math.isfinite(losses[-1]):
            break
    return {"loss": statistics.mean(losses[-100:]), "seconds": time.perf_counter() - begin}


def kept(path: Path, name: str, task: str, T: int, seed: int) -> dict[str, float]:
    """What `run` gives; a run of the same budget that is there already is read."""
    budget = {"steps": STEPS, "batch": BATCH, "hidden": HIDDEN, "rate": RATE, "clip": CLIP}
    found = json.loads(path.read_text()) if path.exists() else {}
    if found.get("budget") != budget:
        found = {"budget": budget, **run(name, task, T, seed)}
        write_whole(path, json.dumps(found).encode())
    return found


def memory(runs: Path) -> str:
    """The table; each run is kept in `runs`, so that a table that was stopped goes on where it stood."""
    runs.mkdir(parents=True, exist_ok=True)
    found: dict[tuple[str, str, int], list[float]] = {}
    seconds = 0.0
    for seed in SEEDS:
        for task in ("adding", "copying"):
            for T in LENGTHS:
                for name in CELLS:
                    result = kept(runs / f"{task}-{T}-{name}-{seed}.json", name, task, T, seed)
                    seconds += result["seconds"]
                    found.setdefault((name, task, T), []).append(result["loss"])
                    print(f"{task} T={T} {name} seed {seed}: {result['loss']:.4f}", file=sys.stderr, flush=True)
    columns = [(task, T) for task in ("adding", "copying") for T in LENGTHS]
    head = ["cell", *(f"{task}, T = {T}" for task, T in columns)]
    rows = [
        f"| `{name}` | "
        + " | ".join(" / ".join(f"{v:.3f}" for v in found[name, task, T]) for task, T in columns)
        + " |"
        for name in CELLS
    ]
    return "\n".join(
        [
            "## How far back each cell can look",
            "",
            f"One layer of {HIDDEN} units, {STEPS} steps of Adam on fresh batches of {BATCH}, learning rate {RATE}, "
            f"gradients clipped at norm {CLIP:g}, every cell as it begins by itself; the mean loss of the last 100 "
            "batches, for each of two seeds. Adding: squared error, 0.167 for a constant answer. Copying ten symbols: "
            "nats a symbol, 2.079 for guessing.",
            "",
            f"| {' | '.join(head)} |",
            f"|{'---|' * len(head)}",
            *rows,
            "",
            f"Command: `make results-memory`, {seconds / 60:.0f} minutes of training. Machine: {machine()}.",
        ]
    )
