"""A training step of every cell at one shape, and what it costs for each multiply-add beside nn.LSTM."""

from __future__ import annotations

import sys

import torch
from page import machine
from timing import alternating, training_of
from torch import nn

from timeloom.cells import CELLS
from timeloom.layers import Recurrent
from timeloom.scan import Cell
from timeloom.scan.fused import Fused
from timeloom.scan.ops import shape

B, T, H = 32, 100, 256


def every_cell(most: float) -> list[str]:
    """Rows as Markdown; `most` is the rate of multiply-adds that the same threads reach with nothing else to do."""
    x = torch.randn(B, T, H)
    lines = [
        "## How fast each cell is",
        "",
        f"Float32, {torch.get_num_threads()} threads, {most / 1e9:.0f} GFLOP/s of multiply-adds as the "
        f"peak. A training step at ({B}, {T}, {H}), each beside nn.LSTM in the same minute. Multiply-adds are those of "
        "the products of one step forward; the last column is how much of nn.LSTM's speed each of them runs at.",
        "",
        "| cell | multiply-adds / H² | training ms | of peak | nn.LSTM ms | speed for each multiply-add |",
        "|---|---|---|---|---|---|",
    ]
    for name, kind in CELLS.items():
        cell = kind(H, H)
        layers: dict[str, nn.Module] = {"ours": Recurrent(cell), "nn.LSTM": nn.LSTM(H, H, batch_first=True)}
        gradient = {"ours": torch.randn(B, T, cell.output_size), "nn.LSTM": torch.randn(B, T, H)}
        times = alternating({key: training_of(layer, x, gradient[key]) for key, layer in layers.items()})
        work = multiply_adds(cell)
        rate = 3 * 2 * B * T * work / times["ours"]
        relative = (work / times["ours"]) / (8 * H * H / times["nn.LSTM"])
        lines.append(
            f"| `{name}` | {work / H / H:.1f} | {1e3 * times['ours']:.1f} | {rate / most:.0%} "
            f"| {1e3 * times['nn.LSTM']:.1f} | {relative:.2f} |"
        )
        print(lines[-1], file=sys.stderr, flush=True)
    return [*lines, "", f"Command: `python bench/scan.py cells`. Machine: {machine()}."]


def multiply_adds(cell: Cell) -> int:
    """Of the products in one step of one sequence, forward."""
    plan = Fused(cell, torch.float32).plan
    products = [n for n in (*plan.before, *plan.forward, *plan.read_out) if n.target is torch.ops.aten.mm.default]
    return sum(shape(n)[1] * shape(n.all_input_nodes[1])[0] for n in products)
