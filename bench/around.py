"""What surrounds the speed of a loop: ragged batches, single steps, building, memory, and a busy neighbour."""

from __future__ import annotations

import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any

import torch
from timing import alternating, training_of
from torch import nn

from timeloom.cells import LSTMCell
from timeloom.layers import Recurrent

BUILD = """
import time, torch
from timeloom.cells import LSTMCell
from timeloom.scan.fused import Fused
begin = time.perf_counter()
fused = Fused(LSTMCell(256, 256), torch.float32)
traced = time.perf_counter()
fused.library
print(traced - begin, time.perf_counter() - traced)
"""

MEMORY = """
import torch
from timeloom.cells import LSTMCell
from timeloom.layers import Recurrent
B, T, H = {shape}
layer = {layer}
def step(B, T):
    layer.zero_grad(set_to_none=True)
    x = torch.randn(B, T, H, requires_grad=True)
    layer(x)[0].sum().backward()
def kilobytes(name):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(name))
step(2, 2)
open("/proc/self/clear_refs", "w").write("5")  # the peak begins anew
before = kilobytes("VmRSS")
step(B, T)
print(kilobytes("VmHWM") - before)
"""


def around() -> list[str]:
    """The rows of the table, as Markdown."""
    rows = [*ragged(), *streaming(), *building(), *memory(), *neighbour()]
    return ["### Around the loop", "", "| what | timeloom | to compare |", "|---|---|---|", *rows, ""]


def ragged() -> list[str]:
    B, T, H = 32, 100, 256
    layer, x, gradient = Recurrent(LSTMCell(H, H)), torch.randn(B, T, H), torch.randn(B, T, H)
    lengths = torch.randint(1, T + 1, (B,), generator=torch.Generator().manual_seed(0))
    whole = training_of(layer, x, gradient)
    some = training_of(lambda x: layer(x, lengths=lengths), x, gradient, layer)
    times = alternating({"whole": whole, "ragged": some})
    share, real = times["ragged"] / times["whole"], float(lengths.sum()) / (B * T)
    return [
        f"| a ragged batch, training, B 32 T ≤ 100 H 256: time of the whole batch | {share:.0%} | {real:.0%} real |"
    ]


def streaming() -> list[str]:
    layer, twin, x = Recurrent(LSTMCell(256, 256)), nn.LSTMCell(256, 256), torch.randn(1, 256)
    states: dict[str, Any] = {"ours": layer.initial_state(1), "theirs": None}

    def ours() -> None:
        _, states["ours"] = layer.step(x, states["ours"])

    def theirs() -> None:
        states["theirs"] = twin(x, states["theirs"])

    with torch.no_grad():
        times = alternating({"layer.step": ours, "nn.LSTMCell": theirs}, rounds=3000)
    mine, other = times["layer.step"], times["nn.LSTMCell"]
    return [f"| one step as it arrives, LSTM, B 1 H 256 | {1e6 * mine:.0f} µs | nn.LSTMCell {1e6 * other:.0f} µs |"]


def building() -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "TIMELOOM_CACHE": folder}
        runs = [[float(word) for word in output([sys.executable, "-c", BUILD], environment).split()] for _ in range(4)]
    (traced, built), *cached = runs
    again, loaded = (1e3 * statistics.median(times) for times in zip(*cached, strict=True))
    return [
        f"| a new cell: to trace and plan it, then to build it | {traced:.1f} s, {built:.1f} s | |",
        f"| a cell in the cache: to trace and plan it, then to load it | {again:.0f} ms, {loaded:.0f} ms | |",
    ]


def memory() -> list[str]:
    rows = []
    for shape in ((32, 100, 256), (64, 50, 650)):
        kB = {
            name: int(output([sys.executable, "-c", MEMORY.format(shape=shape, layer=layer)]))
            for name, layer in (
                ("ours", "Recurrent(LSTMCell(H, H))"),
                ("theirs", "torch.nn.LSTM(H, H, batch_first=True)"),
            )
        }
        B, T, H = shape
        rows.append(
            f"| peak memory of a training step, LSTM, B {B} T {T} H {H} "
            f"| {kB['ours'] / 1024:.0f} MiB | nn.LSTM {kB['theirs'] / 1024:.0f} MiB |"
        )
    return rows


def neighbour() -> list[str]:
    """How much slower a training step is while another process keeps one of the cores busy."""
    rows = []
    for B, T, H in ((32, 100, 256), (1, 200, 256)):
        x, gradient = torch.randn(B, T, H), torch.randn(B, T, H)
        layers = {"timeloom": Recurrent(LSTMCell(H, H)), "nn.LSTM": nn.LSTM(H, H, batch_first=True)}
        runs = {name: training_of(layer, x, gradient) for name, layer in layers.items()}
        alone = alternating(runs)
        other = multiprocessing.get_context("spawn").Process(target=spin, daemon=True)
        other.start()
        time.sleep(1)
        beside = alternating(runs)
        other.kill()
        other.join()
        slower = {name: beside[name] / alone[name] for name in runs}
        rows.append(
            f"| beside a busy process, LSTM training, B {B} T {T} H {H}: times as long "
            f"| {slower['timeloom']:.1f} | nn.LSTM {slower['nn.LSTM']:.1f} |"
        )
    return rows


def spin() -> None:
    while True:
        pass


def output(command: list[str], environment: dict[str, str] | None = None) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
