"""Time a cell's fused loop against torch.nn and against the plain loop: `make bench`, or `python bench/scan.py`.

Contenders of one row take turns in one process and each row is a median, so that a noisy machine is noisy to all of
them alike. "Peak" is the rate of fused multiply-adds that the same threads reach in the same run when nothing else is
asked of them. Nothing is timed before the tests that compare the kernels with the plain loop have passed.
"""

from __future__ import annotations

import argparse
import ctypes
import importlib.util
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from around import around
from every_cell import every_cell
from page import ROOT, machine, write_section
from timing import alternating, forward_of, training_of
from torch import Tensor, nn

from timeloom.cells import ElmanCell, GRUCell, LSTMCell, PeepholeLSTMCell
from timeloom.layers import Recurrent
from timeloom.scan import Cell, plain_loop
from timeloom.scan.build import build, native_text, threads

SHAPES = [(32, 100, 128), (32, 100, 256), (32, 100, 512), (64, 50, 650), (128, 100, 1024), (8, 35, 200), (1, 200, 256)]
CUSTOM_SHAPES = [(32, 100, 256), (1, 200, 256)]
CORRECT = ["tests/scan/test_kernel_calls.py", "-q", "-x"]


class CompiledStep(Cell):
    """The same cell with its step under torch.compile."""

    def __init__(self, cell: Cell):
        super().__init__()
        self.input_size, self.hidden_size, self.cell = cell.input_size, cell.hidden_size, cell
        self.compiled = torch.compile(cell.step)

    State = PeepholeLSTMCell.State

    def step(self, x: Tensor, state: Any) -> Any:
        h, new = self.compiled(x, state)
        return h, self.State(*new)


@dataclass
class Row:
    """One shape of one table: seconds by contender, for the forward pass and for a training step."""

    shape: tuple[int, int, int]
    flops: float  # of a forward pass
    forward: dict[str, float]
    training: dict[str, float]


class Plain(nn.Module):
    """A layer that takes the plain loop."""

    def __init__(self, layer: nn.Module):
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Any:
        with plain_loop():
            return self.layer(x)


def measure(layers: dict[str, nn.Module], shape: tuple[int, int, int], products: int) -> Row:
    """`products` (B, H) x (H, H) products a step, of the input and of the state together."""
    B, T, H = shape
    x, gradient = torch.randn(B, T, H), torch.randn(B, T, H)
    forward = alternating({name: forward_of(layer, x) for name, layer in layers.items()})
    training = alternating({name: training_of(layer, x, gradient) for name, layer in layers.items()})
    return Row(shape, 2.0 * B * T * H * H * products, forward, training)


# --------------------------------------------------------------------------------------------------- the peak

PEAK = """
#include "scan.h"
using namespace scan;

SCAN_ENTRY void multiply_add(const pool* from, int threads, long turns, real* out) {
    team(*from, threads, [&](int thread, int) {
        vec sums[12];
        for (int i = 0; i < 12; ++i) sums[i] = broadcast(real(i));
        vec a = broadcast(real(0.999)), b = broadcast(real(0.001));
        for (long turn = 0; turn < turns; ++turn) {
            asm volatile("" : "+v"(a), "+v"(b));
#pragma GCC unroll 12
            for (int i = 0; i < 12; ++i) sums[i] = sums[i] * a + b;
        }
        for (int i = 1; i < 12; ++i) sums[0] += sums[i];
        out[64 * thread] = sums[0][0];
    });
}
SCAN_ENTRY int chains() { return 12 * lanes; }
"""


def peak() -> float:
    """Floating-point operations a second of multiply-adds that never leave the registers."""
    library, count = build(native_text(PEAK, torch.float32)), torch.get_num_threads()
    out, turns = torch.zeros(64 * count), 2_000_000

    def run() -> None:
        library.multiply_add(
            ctypes.byref(threads()), ctypes.c_int(count), ctypes.c_long(turns), ctypes.c_void_p(out.data_ptr())
        )

    return 2.0 * library.chains() * turns * count / alternating({"peak": run})["peak"]


# --------------------------------------------------------------------------------------------------- the tables

TWINS: dict[str, tuple[Callable[[int, int], Cell], Callable[..., nn.Module], int]] = {
    "LSTM": (LSTMCell, nn.LSTM, 8),
    "GRU": (GRUCell, nn.GRU, 6),
    "RNN": (ElmanCell, nn.RNN, 2),
}


OTHERS = ("custom", "cells", "around")


def against_twin(name: str, shapes: Sequence[tuple[int, int, int]]) -> list[Row]:
    """Ours against the layer of torch.nn, and against jax.lax.scan where jax is installed and the cell is the LSTM."""
    cell, twin, products = TWINS[name]
    rows = []
    for shape in shapes:
        H = shape[2]
        layers = {"timeloom": Recurrent(cell(H, H)), f"nn.{name}": twin(H, H, batch_first=True)}
        rows.append(measure(layers, shape, products))
        if name == "LSTM" and importlib.util.find_spec("jax"):
            rows[-1].forward["jax"], rows[-1].training["jax"] = jax_lstm(shape)
        say(name, rows[-1])
    return rows


def against_plain_loop(shapes: Sequence[tuple[int, int, int]]) -> list[Row]:
    rows = []
    for shape in shapes:
        cell = PeepholeLSTMCell(shape[2], shape[2])
        layers = {
            "timeloom": Recurrent(cell),
            "plain loop": Plain(Recurrent(cell)),
            "torch.compile": Plain(Recurrent(CompiledStep(cell))),
        }
        rows.append(measure(layers, shape, 8))
        say("peephole LSTM", rows[-1])
    return rows


def jax_lstm(shape: tuple[int, int, int]) -> tuple[float, float]:
    """Seconds forward and of a training step of an LSTM by jax.lax.scan; in a process of its own, as it has threads."""
    command = [sys.executable, str(Path(__file__).with_name("with_jax.py")), *map(str, shape)]
    forward, training = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return float(forward), float(training)


def table(name: str, rows: list[Row], most: float) -> list[str]:
    """Rows as Markdown: milliseconds of ours, its share of the peak, and how many times as long each other took."""
    others = [n for n in rows[0].training if n != "timeloom"]
    head = ["B, T, H", "forward ms", "of peak", *others, "training ms", "of peak", *others]
    lines = [f"### {name}", "", f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for row in rows:
        cells = [", ".join(map(str, row.shape))]
        for times, flops in ((row.forward, row.flops), (row.training, 3 * row.flops)):
            ours = times["timeloom"]
            cells += [f"{1e3 * ours:.2f}", f"{flops / ours / most:.0%}", *(f"{times[n] / ours:.2f}×" for n in others)]
        lines.append(f"| {' | '.join(cells)} |")
    cells = ["**geometric mean**"]
    for times in ([row.forward for row in rows], [row.training for row in rows]):
        means = [statistics.geometric_mean([t[n] / t["timeloom"] for t in times]) for n in others]
        cells += ["", "", *(f"**{mean:.2f}×**" for mean in means)]
    return [*lines, f"| {' | '.join(cells)} |", ""]


def say(name: str, row: Row) -> None:
    for what, times in (("forward", row.forward), ("training", row.training)):
        ratios = "  ".join(f"{n} {1e3 * t:.2f} ms" for n, t in times.items())
        print(f"{name} {row.shape} {what}: {ratios}", file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="*", metavar="table", help=f"of {', '.join((*TWINS, *OTHERS))}; all without")
    parser.add_argument("--threads", type=int, default=2, help="how many threads every contender has (default 2)")
    parser.add_argument("--write", action="store_true", help="put the tables into RESULTS.md and docs/choose-a-cell.md")
    given = parser.parse_args()
    if unknown := [name for name in given.tables if name not in (*TWINS, *OTHERS)]:
        parser.error(f"no table {unknown[0]}; there are: {', '.join((*TWINS, *OTHERS))}")
    torch.set_num_threads(given.threads)
    print("the kernels against the plain loop first", file=sys.stderr, flush=True)
    if subprocess.run([sys.executable, "-m", "pytest", *CORRECT], cwd=ROOT).returncode:
        print("a kernel is wrong, so its speed is of no interest: mend that first", file=sys.stderr)
        return 1
    torch.manual_seed(0)
    most = peak()
    wanted = given.tables or [*TWINS, *OTHERS]
    if "cells" in wanted:
        show("cells", "\n".join(every_cell(most)), given.write)
    tables: list[str] = []
    for name in wanted:
        if name == "around":
            tables += around()
        if name in ("cells", "around"):
            continue
        rows = against_plain_loop(CUSTOM_SHAPES) if name == "custom" else against_twin(name, SHAPES)
        tables += table("A peephole LSTM" if name == "custom" else name, rows, most)
    text = "\n".join(
        [
            "## The fused loop",
            "",
            "One layer, float32, H inputs and H units, batch first. Training is forward and back to the gradients of "
            "the input and of every parameter. Ours in milliseconds and as a share of the "
            f"{most / 1e9:.0f} GFLOP/s of multiply-adds that the same threads reach in the same run; the others as "
            "many times our time. Medians of contenders that take turns.",
            "",
            *tables,
            f"Command: `make bench`. Machine: {machine()}.",
        ]
    )
    if tables:
        show("scan", text, given.write)
    return 0


def show(name: str, text: str, write: bool) -> None:
    print(text)
    if write:
        write_section(name, text)


if __name__ == "__main__":
    sys.exit(main())
