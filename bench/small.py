"""The table of small sets of short texts: ours with all defaults beside tf-idf and logistic regression."""

from __future__ import annotations

import json
import random
import statistics
from collections.abc import Sequence
from pathlib import Path

from classify import mr_files, polar_phrases, sst_trees, written
from page import machine
from runs import RUNS, Done, data, trained

SEEDS = (1, 2)
SHARES: dict[str, tuple[int | None, ...]] = {  # None: all
    "atis": (500, 2000, None),
    "mr": (500, 2000, None),
    "sst": (500, 2000, None),
    "short": (500, 2000, 10_000),  # of 32,645
}
STRENGTHS = (1, 3, 10, 30, 100)
SHORT = range(3, 9)  # words of a short phrase


def small() -> str:
    """Shares of ATIS' intents, MR, SST-2 and short phrases of SST."""
    names = {
        "atis": "ATIS, 21 intents",
        "mr": "MR, polarity",
        "sst": "SST-2, polarity of sentences",
        "short": f"SST, polarity of phrases of {SHORT.start} to {SHORT.stop - 1} words",
    }
    done = trained({name: words for name, (words, _) in runs().items()}, "classify")
    rows = []
    for name, title in names.items():
        texts, tests = (len(lines_of(name, part)) for part in ("train", "test"))
        for share in SHARES[name]:
            ours = [done[run_name(name, share, seed)] for seed in SEEDS]
            theirs = [baseline(name, share, seed) for seed in SEEDS]
            rows.append(row(title, share or texts, tests, theirs, ours))
    return "\n".join(
        [
            "## Small sets of short texts",
            "",
            "Accuracy on the test part, mean of two seeds and each in brackets; a seed draws the share and is the "
            "training's. Ours is `timeloom train classify` with all defaults, which holds out a tenth of the share to "
            "choose by. Beside it tf-idf of words and pairs of words with logistic regression (scikit-learn), C chosen "
            f"of {', '.join(map(str, STRENGTHS))} by five-fold cross-validation, learned from the whole share. Test "
            "parts: those of ATIS and SST, of MR the tenth of the table above. What ours does was chosen on "
            "validation parts ([decision 0011](docs/decisions/0011-classifying-small-sets.md)).",
            "",
            "| what | texts learned from | tests | tf-idf + logistic regression | ours | difference | minutes |",
            "|---|---|---|---|---|---|---|",
            *rows,
            "",
            f"Command: `make results-small`, {sum(run.minutes for run in done.values()):.0f} minutes of one thread. "
            f"Machine: {machine()}.",
        ]
    )


def row(title: str, texts: int, tests: int, theirs: Sequence[float], ours: Sequence[Done]) -> str:
    accuracies = [run.test["accuracy"] for run in ours]
    means = statistics.mean(theirs), statistics.mean(accuracies)
    cells = (
        f"{mean:.2f} ({', '.join(f'{score:.2f}' for score in scores)})"
        for mean, scores in zip(means, (theirs, accuracies), strict=True)
    )
    minutes = max(run.minutes for run in ours)
    return f"| {title} | {texts:,} | {tests:,} | {' | '.join(cells)} | {means[1] - means[0]:+.2f} | {minutes:.1f} |"


def runs() -> dict[str, tuple[list[str], Path]]:
    """The runs by name: their options, and the file that each learns from."""
    make_parts()
    found = {}
    for name, shares in SHARES.items():
        for share in shares:
            for seed in SEEDS:
                path = share_of(name, share, seed)
                test = folder_of(name) / "test.txt"
                found[run_name(name, share, seed)] = [f"--train={path}", f"--test={test}", f"--seed={seed}"], path
    return found


def run_name(name: str, share: int | None, seed: int) -> str:
    return f"small/{name}-{share or 'all'}/seed-{seed}"


def folder_of(name: str) -> Path:
    return RUNS / ("mr" if name == "mr" else f"small/{name}")


def lines_of(name: str, part: str) -> list[str]:
    return lines_in(folder_of(name) / f"{part}.txt")


def lines_in(path: Path) -> list[str]:
    """The lines of a file; MR has signs within its sentences that `splitlines` takes for ends of lines."""
    return path.read_text(encoding="utf-8").rstrip("\n").split("\n")


def make_parts() -> None:
    """Write train.txt and test.txt of each set, lines that begin with their label."""
    mr_files()
    intents, phrases, sentences = {}, {}, {}
    for part, name in (("train", "train"), ("test", "test")):
        folder = data("atis") / part
        texts, labels = (lines_in(folder / file) for file in ("seq.in", "label"))
        intents[part] = [f"{label.strip()} {text.strip()}" for text, label in zip(texts, labels, strict=True)]
        found = dict.fromkeys(phrase for tree in sst_trees(name) for phrase in polar_phrases(tree))
        phrases[part] = [phrase for phrase in found if len(phrase.split()) - 1 in SHORT]
        sentences[part] = (data("sst") / f"stsa.binary.{name}").read_text(encoding="utf-8").strip().split("\n")
    for name, parts in (("atis", intents), ("sst", sentences), ("short", phrases)):
        written(f"small/{name}", parts)


def share_of(name: str, share: int | None, seed: int) -> Path:
    if share is None:
        return folder_of(name) / "train.txt"
    lines = lines_of(name, "train")
    random.Random(seed).shuffle(lines)
    path = RUNS / "small" / name / f"train-{share}-{seed}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines[:share]) + "\n", encoding="utf-8")
    return path


def baseline(name: str, share: int | None, seed: int) -> float:
    """The accuracy in percent of logistic regression over tf-idf, kept beside the runs."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, KFold
    from sklearn.pipeline import make_pipeline

    kept = RUNS / f"{run_name(name, share, seed)}.baseline.json"
    if kept.exists():
        return json.loads(kept.read_text(encoding="utf-8"))
    path = share_of(name, share, seed)
    (labels, texts), (gold, tests) = (
        zip(*(line.split(" ", 1) for line in lines_in(file)), strict=True)
        for file in (path, folder_of(name) / "test.txt")
    )
    pipeline = make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), LogisticRegression(max_iter=2000))
    folds = KFold(5, shuffle=True, random_state=seed)
    search = GridSearchCV(pipeline, {"logisticregression__C": list(STRENGTHS)}, cv=folds).fit(texts, labels)
    accuracy = 100 * statistics.mean(found == label for found, label in zip(search.predict(tests), gold, strict=True))
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(accuracy), encoding="utf-8")
    return accuracy
