"""The table of key terms on Inspec: two extractors, one without a recurrence, and tf-idf."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

from page import machine
from runs import data, mean_and_deviation, trained

from timeloom.data import Document, Term
from timeloom.tasks.keyterms import DocumentFile, KeytermOptions, f1_of_first
from timeloom.tasks.keyterms.spans import occurrences
from timeloom.train import score_chunks

SEEDS = (1, 2, 3, 4, 5)
FILE = DocumentFile(["title", "abstract"], "uncontr")
MODELS = {
    "tags over an LSTM": ["--extraction=tags"],
    "attention over the document": ["--extraction=attention"],
    "tags alone, no recurrence": ["--extraction=tags", "--num_layers=0"],
}


def keyterms() -> str:
    """F1 of the best terms, and of the places marked."""
    files = [f"--{part}={data('inspec') / f'{part}.jsonl.gz'}" for part in ("train", "valid", "test")]
    files += ["--text_keys=['title', 'abstract']", "--terms_key=uncontr"]
    rows = []
    for title, words in MODELS.items():
        name = "-".join(word.partition("=")[2] for word in words)
        done = trained({f"inspec/{name}-{seed}": [*files, *words, f"--seed={seed}"] for seed in SEEDS}, "keyterms")
        tests = [run.test for run in done.values()]
        scores = [[test["f1_at_5"] for test in tests], [test["f1_at_10"] for test in tests]]
        scores.append([test["spans"]["f1"] for test in tests])
        longest = max(run.minutes for run in done.values())
        rows.append(f"| {title} | {' | '.join(map(mean_and_deviation, scores))} | {longest:.1f} |")
    parts = {part: FILE.read(data("inspec") / f"{part}.jsonl.gz") for part in ("train", "test")}
    ranked = by_tf_idf(parts["train"], parts["test"], KeytermOptions().longest)
    best = " | ".join(f"{f1_of_first(ranked, parts['test'], count):.2f}" for count in (5, 10))
    gold = [occurrences(one) for one in parts["test"]]
    marked = [occurrences(replace(one, terms=terms[:10])) for one, terms in zip(parts["test"], ranked, strict=True)]
    places = score_chunks(gold, marked, tokens=0, correct_tokens=0).overall.f1
    rows.append(f"| tf-idf of runs of words without signs and stop words | {best} | {places:.2f} |  |")
    return "\n".join(
        [
            "## Key terms of Inspec",
            "",
            "1,000 / 500 / 500 abstracts with the free terms of their indexers, a fifth of which do not stand in the "
            "text; these count as missed. F1, in percent, of the best 5 and 10 terms of each abstract, exact in lower "
            "case, and of the places marked in the text (by tf-idf, those where its best 10 stand); mean ± deviation "
            "of five seeds, all else by default, nothing pretrained.",
            "",
            "| model | F1 of 5 | F1 of 10 | places | minutes, the longest run |",
            "|---|---|---|---|---|",
            *rows,
            "",
            "Published, of terms that were chosen by number in other ways: n-grams with part-of-speech tags 33.9 "
            "(Hulth 2003), TextRank 36.2 (Mihalcea and Tarau 2004).",
            "",
            "Command: `make results-keyterms`; minutes are of one thread, two runs side by side. "
            f"Machine: {machine()}.",
        ]
    )


def by_tf_idf(known: list[Document], documents: list[Document], longest: int) -> list[list[Term]]:
    """The runs of words of each document by how often they stand in it and how seldom in the others: the sum over their
    words. Runs go from one sign, or one of the 50 words that stand in most documents, to the next; longer ones than any
    key term are cut."""
    in_how_many = Counter(word for one in known for word in {word.lower() for word in one.words})
    stop = {word for word, _ in in_how_many.most_common(50)}
    found = []
    for one in documents:
        words = [word.lower() for word in one.words]
        often = Counter(words)
        value = {word: often[word] * math.log((1 + len(known)) / (1 + in_how_many[word])) for word in often}
        scores: dict[Term, float] = {}
        run: list[str] = []
        for word in [*words, "."]:
            content = word[0].isalnum() and word not in stop
            if run and (not content or len(run) == longest):
                scores[tuple(run)] = sum(value[part] for part in run)
                run = []
            if content:
                run.append(word)
        found.append(sorted(scores, key=lambda term: (-scores[term], term)))
    return found
