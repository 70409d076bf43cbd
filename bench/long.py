"""A long sequence in little memory: time against memory, `make bench` or `python bench/long.py`.

Nothing is timed before the tests of it have passed. Each way has a process of its own for its peak, and all take turns
for their times.
"""

from __future__ import annotations

import argparse
import subprocess
import sys

import torch
from around import MEMORY, output
from page import ROOT, machine, write_section
from timing import alternating, training_of

from timeloom.cells import LSTMCell
from timeloom.layers import Recurrent

B, T, H = 1, 100_000, 64
WAYS = {"full": "full", "100 MB": 100_000_000, "20 MB": 20_000_000, "5 MB": 5_000_000, "sqrt": "sqrt"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="put the table into RESULTS.md")
    given = parser.parse_args()
    torch.set_num_threads(2)
    if subprocess.run([sys.executable, "-m", "pytest", "tests/layers/test_memory.py", "-q", "-x"], cwd=ROOT).returncode:
        print("the gradients are wrong, so their price is of no interest: mend that first", file=sys.stderr)
        return 1
    x, gradient = torch.randn(B, T, H), torch.randn(B, T, H)
    times = alternating(
        {name: training_of(Recurrent(LSTMCell(H, H), memory=way), x, gradient) for name, way in WAYS.items()}
    )
    rows = []
    for name, way in WAYS.items():
        layer = f"Recurrent(LSTMCell(H, H), memory={way!r})"
        peak = int(output([sys.executable, "-c", MEMORY.format(shape=(B, T, H), layer=layer)])) / 1024
        rows.append(f"| {name} | {peak:.0f} MiB | {times[name]:.2f} | {times[name] / times['full']:.2f}× |")
    text = "\n".join(
        [
            "## A long sequence in little memory",
            "",
            f"A training step of an LSTM of {H} units over one sequence of {T:,} steps, by what "
            "`Recurrent(..., memory=)` allows to be kept. The peak includes the sequence, its output and their "
            f"gradients, {T * H * 4 / 2**20:.0f} MiB each.",
            "",
            "| memory | peak | seconds | of the whole |",
            "|---|---|---|---|",
            *rows,
            "",
            f"Command: `python bench/long.py`. Machine: {machine()}.",
        ]
    )
    print(text)
    if given.write:
        write_section("long", text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
