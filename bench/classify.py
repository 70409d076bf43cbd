"""The table of classifiers: sentiment of sentences, digits row by row."""

from __future__ import annotations

import gzip
import random
import re

import numpy as np
from page import machine
from runs import RUNS, data, mean_and_deviation, trained

SEEDS = (1, 2, 3, 4, 5)
# The recurrent net alone, as these were measured; what n-grams and letters add stands in the table of small sets.
WORDS_ALONE = ["--characters=none", "--ngrams=0"]


def classify() -> str:
    """Sentiment of MR and SST-2, and MNIST's digits."""
    rows = []
    sets = {
        "MR, polarity of a sentence": (mr_files(), "8,530 / 1,066 / 1,066 sentences"),
        "SST-2, polarity of a sentence": (sst_files(), f"{phrases():,} phrases of 8,544 trees / 872 / 1,821 sentences"),
        "MNIST's test images, row by row": (mnist_files(), "7,200 / 800 / 2,000 images"),
    }
    for title, (words, sizes) in sets.items():
        name = title.split(",")[0].split("'")[0].lower()
        done = trained({f"{name}/seed-{seed}": [*words, f"--seed={seed}"] for seed in SEEDS}, "classify")
        tests, valids = ([getattr(run, part)["accuracy"] for run in done.values()] for part in ("test", "valid"))
        options = " ".join(word for word in words if not word.startswith(("--train=", "--valid=", "--test=")))
        rows.append(
            f"| {title} | {sizes} | {f'`{options}`' if options else 'none'} | {mean_and_deviation(valids)} | "
            f"{mean_and_deviation(tests)} | {max(run.minutes for run in done.values()):.1f} |"
        )
    return "\n".join(
        [
            "## Whole texts, whole series",
            "",
            "Accuracy, mean ± deviation of five seeds; nothing is pretrained. `timeloom train classify` with its "
            "defaults and the options of the third column: a recurrent net over words alone, without the letters and "
            "n-grams that the defaults have since (the next table); the best epoch on the validation part is kept. "
            "MR has no split of its own: one in ten is tested, one in ten validates, drawn once. SST-2 learns from "
            "the phrases of its training trees. Of MNIST only the 10,000 images that others test on are at "
            "hand: what stands here is learned from 7,200 of them.",
            "",
            "| what | train / validation / test | options | validation | test | minutes, the longest run |",
            "|---|---|---|---|---|---|",
            *rows,
            "",
            "Published without pretrained vectors (Kim 2014, convolutions): MR 76.1, SST-2 82.7. With 60,000 images to "
            "learn from, MNIST pixel by pixel: LSTM 98.2.",
            "",
            "Command: `make results-classify`; minutes are of one thread, two runs side by side. "
            f"Machine: {machine()}.",
        ]
    )


def mr_files() -> list[str]:
    lines = (data("mr") / "rt-polarity.all").read_text(encoding="latin-1").strip().split("\n")
    random.Random(0).shuffle(lines)
    tenth = len(lines) // 10
    parts = {"test": lines[:tenth], "valid": lines[tenth : 2 * tenth], "train": lines[2 * tenth :]}
    return [*written("mr", parts), *WORDS_ALONE, "--epochs=12"]


def written(name: str, parts: dict[str, list[str]]) -> list[str]:
    """The lines of each part as a file; the options that name them."""
    folder = RUNS / name
    folder.mkdir(parents=True, exist_ok=True)
    for part, lines in parts.items():
        (folder / f"{part}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return [f"--{part}={folder / f'{part}.txt'}" for part in parts]


def sst_files() -> list[str]:
    phrases = {phrase: None for tree in sst_trees("train") for phrase in polar_phrases(tree)}
    parts = {"train": list(phrases)}
    for part, name in (("valid", "dev"), ("test", "test")):
        parts[part] = (data("sst") / f"stsa.binary.{name}").read_text(encoding="utf-8").strip().split("\n")
    return [*written("sst-2", parts), *WORDS_ALONE, "--batch_size=64", "--epochs=4"]


def sst_trees(part: str) -> list[str]:
    with gzip.open(data("sst") / "trees" / f"{part}.txt.gz", "rt", encoding="utf-8") as file:
        return list(file)


def phrases() -> int:
    """How many are learned from; after `sst_files`."""
    return len((RUNS / "sst-2" / "train.txt").read_text(encoding="utf-8").splitlines())


def polar_phrases(tree: str) -> list[str]:
    """`label phrase` of every node of a tree that is not neutral, as 0 and 1."""
    found: list[str] = []
    open_nodes: list[tuple[int, list[str]]] = []
    for token in re.findall(r"\(\d|\)|[^\s()]+", tree):
        if token[0] == "(" and len(token) == 2:
            open_nodes.append((int(token[1]), []))
        elif token == ")":
            label, words = open_nodes.pop()
            if open_nodes:
                open_nodes[-1][1].extend(words)
            if label != 2:
                found.append(f"{int(label > 2)} {' '.join(words)}")
        else:
            open_nodes[-1][1].append(token)
    return found


def mnist_files() -> list[str]:
    def read(name: str, header: int) -> np.ndarray:
        with gzip.open(data("mnist_t10k") / f"t10k-{name}-ubyte.gz") as file:
            return np.frombuffer(file.read()[header:], np.uint8)

    images, labels = read("images-idx3", 16).reshape(-1, 28, 28) / np.float32(255), read("labels-idx1", 8)
    order = np.random.default_rng(0).permutation(len(labels))
    folder = RUNS / "mnist"
    folder.mkdir(parents=True, exist_ok=True)
    parts = {"test": order[:2000], "valid": order[2000:2800], "train": order[2800:]}
    for part, chosen in parts.items():
        np.savez(folder / f"{part}.npz", x=images[chosen], y=labels[chosen])
    return [*(f"--{part}={folder / f'{part}.npz'}" for part in parts), "--epochs=20", "--learning_rate=0.003"]
