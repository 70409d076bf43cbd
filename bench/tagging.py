"""The tables of taggers: ATIS, CoNLL-2000, and every cell with every output."""

from __future__ import annotations

import gzip
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence

import torch
from page import ROOT, machine
from runs import RUNS, Done, data, in_columns, mean_and_deviation, trained

from timeloom.tasks import load_as
from timeloom.tasks.tagging import TaggedFile, Tagger

ATIS_SEEDS, CHUNKING_SEEDS = (1, 2, 3, 4, 5), (1, 2, 3)
CELLS = ("elman", "jordan", "lstm", "gru", "clockwork", "scrn")
OUTPUTS = ("softmax", "perceptron", "svm", "crf", "hmm")
CLOSE, NEAR = 0.2, 0.5  # points of F1

ONE = "--members=1"
FINAL = ["--train_on_valid", "--keep=last"]  # the settings were chosen with the validation part held out
RECIPES = ROOT / "recipes"  # what a data set has beside the defaults


def atis_files() -> list[str]:
    return [f"--{part}={data('atis') / part}" for part in ("train", "valid", "test")]


def main_intents(run: str) -> float:
    """Accuracy of 18 intents: of several that are joined (`a#b`), in the file or the answer, the most frequent counts.

    So Liu and Lane (2016) count, whose 98.4 is the highest figure: the notes beside their code (HadoopIt/rnn-nlu) say
    that they took the more frequent label of the 15 test sentences that have two.
    """
    parts = {part: TaggedFile().read(data("atis") / part)[0] for part in ("train", "valid", "test")}
    counts = Counter(sentence.label for part in ("train", "valid") for sentence in parts[part])
    found = load_as(Tagger, RUNS / run).analyse(parts["test"])
    right = [
        main_intent(sentence.label, counts) == main_intent(tagged.label, counts)
        for sentence, tagged in zip(parts["test"], found, strict=True)
    ]
    return 100 * sum(right) / len(right)


def main_intent(label: str | None, counts: Counter[str | None]) -> str:
    return max((label or "").split("#"), key=lambda intent: counts[intent])


def atis() -> str:
    """Slots and intents of ATIS."""
    runs = {f"atis/seed-{seed}": [*atis_files(), *FINAL, f"--seed={seed}"] for seed in ATIS_SEEDS}
    alone = {f"atis/alone-{seed}": [*atis_files(), *FINAL, ONE, f"--seed={seed}"] for seed in ATIS_SEEDS}
    held_out = {"atis/held-out": atis_files(), "atis/held-out-alone": [*atis_files(), ONE]}
    done = trained({**held_out, **runs, **alone})
    scores = {
        name: [run.test["f1"], main_intents(name), run.test["label_accuracy"], run.test["frame_accuracy"]]
        for name, run in done.items()
    }
    two, one = (done[name] for name in held_out)
    rows = [
        f"| {seed} | {in_columns(scores[name])} | {done[name].minutes:.1f} |"
        for seed, name in zip(ATIS_SEEDS, runs, strict=True)
    ]

    def means(names: Iterable[str]) -> str:
        columns = zip(*(scores[name] for name in names), strict=True)
        return " | ".join(mean_and_deviation(column) for column in columns)

    minutes = [done[name].minutes for name in alone]
    return "\n".join(
        [
            "## Slots and intents of ATIS",
            "",
            "4,478 / 500 / 893 sentences, 120 slot tags and 21 intents in the training part. The defaults of "
            "`timeloom train tag`, nothing pretrained: words and their letters, two bidirectional LSTMs side by side, "
            "a conditional random field over the tags, the intent from the same encodings. Settings were chosen on "
            "sentences held out of the first two parts (how many encoders: [by rare sets of slots]"
            "(#sentences-with-rare-sets-of-slots)); the runs then learn from both for as many epochs. When the default "
            "became two encoders, test scores of both had been seen "
            "([decision 0009](docs/decisions/0009-the-taggers-defaults.md)). Slot F1 as "
            "conlleval counts it. Intents first as Liu and Lane count them, whose published figure is the highest: 18 "
            "intents, of two that are joined (15 test sentences) the more frequent; then as the strings of the files, "
            "joint ones as their own, as Stack-Propagation does. Training never saw the string of 5 test sentences.",
            "",
            "| seed | slot F1 | 18 intents | intents as strings | that and all slots right | minutes |",
            "|---|---|---|---|---|---|",
            *rows,
            f"| **mean ± deviation** | {means(runs)} | |",
            f"| `{ONE}` | {means(alone)} | {min(minutes):.1f} to {max(minutes):.1f} |",
            f"| 1, without the validation part | {in_columns(scores['atis/held-out'])} | {two.minutes:.1f} |",
            f"| 1, without it, `{ONE}` | {in_columns(scores['atis/held-out-alone'])} | {one.minutes:.1f} |",
            "",
            "The last rows learned from 4,478 sentences only; on the validation part they have "
            f"{two.valid['f1']:.2f} and {one.valid['f1']:.2f} F1, {two.valid['label_accuracy']:.2f} and "
            f"{one.valid['label_accuracy']:.2f} % of the intents right, in epochs {two.epoch} and {one.epoch}, the "
            f"best of {two.epochs}.",
            "",
            "Published without pretraining, from words (ours reads letters, too): bidirectional Jordan network "
            "93.98, LSTM 94.85, attention BiRNN 95.98 (94.2 when others ran it on these files), Stack-Propagation "
            "95.9 slot F1; intents 98.4 (Liu and Lane, of 18) and 96.9 (Stack-Propagation, as strings). Figures of "
            "96.65 and 96.89 are of another task, which gives the model gold named entities.",
            "",
            f"Command: `make results-atis`; minutes are of one thread, two runs side by side. Machine: {machine()}.",
        ]
    )


def chunking_files() -> list[str]:
    """CoNLL-2000 without a validation part of its own: the last 1,000 sentences of train are held out."""
    folder = RUNS / "conll2000"
    folder.mkdir(parents=True, exist_ok=True)
    with gzip.open(data("conll2000") / "train.txt.gz", "rt", encoding="utf-8") as file:
        sentences = file.read().strip().split("\n\n")
    parts = {"train": sentences[:-1000], "valid": sentences[-1000:]}
    for name, part in parts.items():
        (folder / f"{name}.conll").write_text("\n\n".join(part) + "\n", encoding="utf-8")
    test = data("conll2000") / "test.txt.gz"
    recipe = f"--config={RECIPES / 'conll2000.yaml'}"
    return [recipe, *(f"--{name}={folder / f'{name}.conll'}" for name in parts), f"--test={test}"]


def chunking() -> str:
    """Chunks of CoNLL-2000."""
    files = chunking_files()
    runs = {f"conll2000/seed-{seed}": [*files, *FINAL, f"--seed={seed}"] for seed in CHUNKING_SEEDS}
    held_out = {"conll2000/held-out": files, "conll2000/held-out-alone": [*files, ONE]}
    done = trained({**held_out, **runs}, at_a_time=1)  # the longest runs of all have the cores to themselves
    two, one = (done.pop(name) for name in held_out)
    rows = [
        f"| {seed} | {run.test['f1']:.2f} | {run.minutes:.1f} |"
        for seed, run in zip(CHUNKING_SEEDS, done.values(), strict=True)
    ]
    return "\n".join(
        [
            "## Chunks of CoNLL-2000",
            "",
            "8,936 sentences to learn from, 2,012 to test. The defaults of `timeloom train tag` with "
            "`--feature_columns '[1]'` ([recipes/conll2000.yaml](recipes/conll2000.yaml)): words, their letters and "
            "case, and the part-of-speech tags that stand in the "
            "shared task's files; nothing pretrained. Settings were chosen with the last 1,000 training sentences held "
            "out; the runs then learn from all for as many epochs.",
            "",
            "| seed | test F1 | minutes |",
            "|---|---|---|",
            *rows,
            f"| **mean ± deviation** | {mean_and_deviation([run.test['f1'] for run in done.values()])} | |",
            f"| 1, the 1,000 held out | {two.test['f1']:.2f} | {two.minutes:.1f} |",
            f"| 1, the 1,000 held out, `{ONE}` | {one.test['f1']:.2f} | {one.minutes:.1f} |",
            "",
            f"On the 1,000 sentences the last rows have {two.valid['f1']:.2f} and {one.valid['f1']:.2f} F1, in epochs "
            f"{two.epoch} and {one.epoch}, the best of {two.epochs}.",
            "",
            "Published: conditional random field with hand-made features 94.38, BiLSTM-CRF with random embeddings "
            "94.13.",
            "",
            f"Command: `make results-chunking`; minutes of {torch.get_num_threads()} threads, one run at a time. "
            f"Machine: {machine()}.",
        ]
    )


def outputs() -> str:
    """Every classical cell with every output, words only, on ATIS."""
    fixed = [*atis_files(), ONE, "--epochs=8", "--characters=none", "--no_capitalisation", "--no_sentence_labels"]

    def run(pairs: Sequence[tuple[str, str]], seed: int) -> dict[tuple[str, str], Done]:
        named = {f"outputs/{cell}-{output}-{seed}": (cell, output) for cell, output in pairs}
        words = {
            name: [*fixed, f"--cell={cell}", f"--output={output}", f"--seed={seed}"]
            for name, (cell, output) in named.items()
        }
        return {named[name]: done for name, done in trained(words).items()}

    scores: dict[tuple[str, str], list[float]] = {}
    minutes = 0.0
    pairs = [(cell, output) for cell in CELLS for output in OUTPUTS]
    for seed in (1, 2, 3):
        for pair, done in run(pairs, seed).items():
            scores.setdefault(pair, []).append(done.test["f1"])
            minutes += done.minutes
        if seed == 1:
            pairs = [pair for pair in pairs if is_close(pair, scores)]
    rows = [f"| `{cell}` | {' | '.join(written(scores[cell, output]) for output in OUTPUTS)} |" for cell in CELLS]
    means = {pair: statistics.mean(found) for pair, found in scores.items()}
    return "\n".join(
        [
            "## Every cell with every output",
            "",
            f"Slot F1 on the test part of ATIS, from words alone, one encoder (`{ONE}`), 8 epochs, all else by default "
            "(200 units in each direction). One seed; where another output of the same cell, or another cell with the "
            f"same output, came within {CLOSE} points, the mean ± deviation of three.",
            "",
            f"| cell | {' | '.join(OUTPUTS)} |",
            f"|{'---|' * (len(OUTPUTS) + 1)}",
            *rows,
            "",
            conclusion(means),
            "",
            f"Command: `make results-outputs`, {minutes:.0f} minutes of one thread, two runs side by side. "
            f"Machine: {machine()}.",
        ]
    )


def conclusion(means: dict[tuple[str, str], float]) -> str:
    """What the table says, in two sentences, whatever its numbers are."""

    def gains(output: str) -> str:
        found = [means[cell, output] - means[cell, "softmax"] for cell in CELLS]
        return f"{output} {min(found):+.1f} to {max(found):+.1f}"

    of_crf = sorted(((means[cell, "crf"], cell) for cell in CELLS), reverse=True)
    highest, (lowest, worst) = of_crf[0][0], of_crf[-1]
    near = [f"`{cell}`" for score, cell in of_crf if highest - score <= NEAR]
    cell, output = max(means, key=lambda pair: means[pair])
    return (
        f"What stands on top gains over softmax, from the cell that gains least to the one that gains most: "
        f"{', '.join(gains(output) for output in OUTPUTS[1:])} points. Under crf {', '.join(near)} lie within {NEAR} "
        f"points of the best, `{worst}` is {highest - lowest:.1f} behind; the best pair is `{cell}` with {output}."
    )


def is_close(pair: tuple[str, str], scores: dict[tuple[str, str], list[float]]) -> bool:
    """Whether the first score of a pair is close to another in its row or its column."""
    others = [other for other in scores if other != pair and (other[0] == pair[0] or other[1] == pair[1])]
    return any(abs(scores[other][0] - scores[pair][0]) <= CLOSE for other in others)


def written(scores: Sequence[float]) -> str:
    if len(scores) == 1:
        return f"{scores[0]:.2f}"
    return f"{statistics.mean(scores):.2f} ± {statistics.stdev(scores):.2f}"
