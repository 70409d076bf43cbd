"""Time the chain against pytorch-crf and torch-struct: `make bench`, or `python bench/chain.py`.

Those of the two that are not installed are left out, and the table is then not written.

A training step is the log-likelihood of a path and its gradient; decoding is the best path. Contenders take turns in
one process and each has its median. Nothing is timed before the tests of the chain have passed.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import torch
from page import ROOT, machine, write_section
from timing import alternating
from torch import Tensor, nn

from timeloom.chain import Chain
from timeloom.chain.fold import all_paths, best_paths

SHAPES = [(32, 50, 128), (32, 50, 32), (32, 100, 32), (32, 200, 32), (32, 20, 9)]
STRUCT_MOST = 32  # tags; torch-struct holds a number for each pair of tags of each step, many times over


def measure(B: int, T: int, K: int) -> tuple[dict[str, float], dict[str, float]]:
    """Seconds of a training step, and of decoding, by contender."""
    e, tags = torch.randn(B, T, K, requires_grad=True), torch.randint(K, (B, T))
    A, start, end = (nn.Parameter(0.1 * torch.randn(sizes)) for sizes in ((K, K), (K,), (K,)))
    lengths, mask = torch.full((B,), T), torch.ones(B, T, dtype=torch.bool)

    def training(likelihood: Callable[[], Tensor]) -> Callable[[], None]:
        def run() -> None:
            for leaf in (e, A, start, end):
                leaf.grad = None
            (-likelihood().mean()).backward()

        return run

    def decoding(decode: Callable[[], Any]) -> Callable[[], None]:
        def run() -> None:
            with torch.no_grad():
                decode()

        return run

    def ours() -> Chain:
        return Chain(e, A, start, end, lengths)

    steps = {
        "timeloom": training(lambda: ours().log_prob(tags)),
        "in torch": training(lambda: ours().score(tags) - all_paths(e, A, start, end, lengths)),
    }
    decodings = {
        "timeloom": decoding(lambda: ours().best_path()),
        "in torch": decoding(lambda: best_paths(1, e, A, start, end, lengths)),
    }
    if importlib.util.find_spec("torchcrf"):
        crf = importlib.import_module("torchcrf").CRF(K, batch_first=True)
        crf.transitions, crf.start_transitions, crf.end_transitions = A, start, end
        steps["pytorch-crf"] = training(lambda: crf(e, tags, mask, reduction="none"))
        decodings["pytorch-crf"] = decoding(lambda: crf.decode(e, mask))
    if importlib.util.find_spec("torch_struct") and K <= STRUCT_MOST:
        struct = importlib.import_module("torch_struct")

        def potentials() -> Tensor:  # (B, T - 1, K to, K from)
            edges = e[:, 1:, :, None] + A.T
            first = torch.zeros_like(edges)
            first[:, 0] = (e[:, 0] + start)[:, None, :]
            return edges + first

        steps["torch-struct"] = training(lambda: struct.LinearChainCRF(potentials()).partition)
        decodings["torch-struct"] = decoding(lambda: struct.LinearChainCRF(potentials()).argmax)
    return alternating(steps), alternating(decodings)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2, help="how many threads every contender has (default 2)")
    parser.add_argument("--write", action="store_true", help="put the table into RESULTS.md")
    given = parser.parse_args()
    missing = [name for name in ("torchcrf", "torch_struct") if not importlib.util.find_spec(name)]
    if missing and given.write:
        print(
            f"{' and '.join(missing)}: not installed, so the table would have holes; `make bench` gets all",
            file=sys.stderr,
        )
        return 2
    torch.set_num_threads(given.threads)
    if subprocess.run([sys.executable, "-m", "pytest", "tests/chain", "-q", "-x"], cwd=ROOT).returncode:
        print("the chain is wrong, so its speed is of no interest: mend that first", file=sys.stderr)
        return 1
    torch.manual_seed(0)
    lines: list[str] = []
    for shape in SHAPES:
        cells = [", ".join(map(str, shape))]
        for times in measure(*shape):
            others = [
                f"{times[name] / times['timeloom']:.1f}×" if name in times else ""
                for name in ("in torch", "pytorch-crf", "torch-struct")
            ]
            cells += [f"{1e3 * times['timeloom']:.2f}", *others]
        lines.append(f"| {' | '.join(cells)} |")
        print(lines[-1], file=sys.stderr, flush=True)
    head = ["B, T, K", "training ms", "in torch", "pytorch-crf", "torch-struct"]
    head += ["best path ms", "in torch", "pytorch-crf", "torch-struct"]
    text = "\n".join(
        [
            "## The chain",
            "",
            "A training step of a linear chain (log-likelihood of a path, gradients of all scores) and the best path, "
            "float32: ours in milliseconds, the others as many times our time. In torch: our own recursion over "
            "(B, K, K), without native code. Medians of contenders that take turns.",
            "",
            f"| {' | '.join(head)} |",
            f"|{'---|' * len(head)}",
            *lines,
            "",
            f"Command: `python bench/chain.py`. Machine: {machine()}.",
        ]
    )
    print(text)
    if given.write:
        write_section("chain", text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
