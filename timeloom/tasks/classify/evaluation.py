"""How good a classifier is on labelled examples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from timeloom.data import Example
from timeloom.tasks.classify.model import Classifier
from timeloom.tasks.classify.options import LabelledFile


@dataclass(frozen=True)
class LabelScores:
    """Counts over some examples; scores are in percent.

    Attributes:
        examples: How many.
        exact: How many have all labels right and no other.
        found, given, right: Of each label, how often the model gave it, the file has it, and both.
    """

    examples: int
    exact: int
    found: dict[str, int]
    given: dict[str, int]
    right: dict[str, int]
    unknown: dict[str, int]  # labels of the file that the model does not have

    @property
    def accuracy(self) -> float:
        """Share of the examples whose labels are all right."""
        return 100.0 * self.exact / self.examples if self.examples else 0.0

    def f1(self, label: str) -> float:
        both = self.found.get(label, 0) + self.given.get(label, 0)
        return 200.0 * self.right.get(label, 0) / both if both else 0.0

    @property
    def macro_f1(self) -> float:
        """The mean over labels of their F1."""
        return sum(map(self.f1, self.names)) / len(self.names) if self.names else 0.0

    @property
    def micro_f1(self) -> float:
        """F1 over all labels together."""
        both = sum(self.found.values()) + sum(self.given.values())
        return 200.0 * sum(self.right.values()) / both if both else 0.0

    @property
    def one_each(self) -> bool:
        """Whether all examples have one label, and got one."""
        return sum(self.found.values()) == sum(self.given.values()) == self.examples

    @property
    def names(self) -> list[str]:
        return sorted({*self.found, *self.given})

    def as_dict(self) -> dict[str, object]:
        rows = {
            label: {
                "f1": round(self.f1(label), 2),
                "found": self.found.get(label, 0),
                "given": self.given.get(label, 0),
            }
            for label in self.names
        }
        return {
            "accuracy": round(self.accuracy, 2),
            "micro_f1": round(self.micro_f1, 2),
            "macro_f1": round(self.macro_f1, 2),
            "examples": self.examples,
            "labels": rows,
            "unknown_labels": self.unknown,
        }

    def report(self) -> str:
        width = max((len(label) for label in self.names), default=5)
        rows = [
            f"{label:>{width}}: F1 {self.f1(label):6.2f}%; {self.given.get(label, 0)} in the file, "
            f"{self.found.get(label, 0)} found, {self.right.get(label, 0)} of them right"
            for label in self.names
        ]
        # Where every example has one label and gets one, micro F1 is the accuracy again.
        micro = "" if self.one_each else f"micro F1 (all labels together): {self.micro_f1:6.2f}%; "
        head = (
            f"{self.examples} examples; accuracy: {self.accuracy:6.2f}%; {micro}macro F1 (mean over labels): "
            f"{self.macro_f1:6.2f}%"
        )
        return "\n".join([head, *rows])


def score_classifier(classifier: Classifier, examples: Sequence[Example]) -> LabelScores:
    """Classify the examples and compare with their own labels."""
    found = classifier.classify(examples)
    pairs = [({*mine}, {*example.labels}) for mine, example in zip(found, examples, strict=True)]
    return LabelScores(
        len(pairs),
        sum(mine == theirs for mine, theirs in pairs),
        dict(Counter(label for mine, _ in pairs for label in mine)),
        dict(Counter(label for _, theirs in pairs for label in theirs)),
        dict(Counter(label for mine, theirs in pairs for label in mine & theirs)),
        dict(Counter(label for _, theirs in pairs for label in theirs if label not in classifier.labels)),
    )


def evaluate_classifier(
    classifier: Classifier, path: str | Path, file: LabelledFile | None = None
) -> tuple[LabelScores, list[str]]:
    """The scores of a classifier on a file, and notes about what was odd in the file."""
    scores = score_classifier(classifier, (file or LabelledFile()).read(path))
    if not scores.unknown:
        return scores, []
    listed = ", ".join(f"{label} ({count})" for label, count in sorted(scores.unknown.items())[:10])
    return scores, [f"{path} has labels that the model was not trained on, so it cannot find them: {listed}"]
