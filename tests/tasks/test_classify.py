"""Classifiers: they learn, alone as in a batch, say which word it was, and name what is wrong with the data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.tolerances import assert_close
from timeloom.core import DataError, ModelError, ShapeError, UsageError
from timeloom.data import Example
from timeloom.tasks import Trained, load_as
from timeloom.tasks.classify import (
    CLASSIFY_TEXT,
    Classifier,
    ClassifierOptions,
    ClassifyData,
    LabelledFile,
    LabelScores,
    evaluate_classifier,
    explain_label,
    score_classifier,
    train_classifier,
)
from timeloom.train import TrainingOptions, Watch

SMALL = ClassifierOptions(hidden_size=8, embedding_size=8, dropout=0.1, word_dropout=0.0)
NOUNS = ("film", "plot", "cast", "end", "song")
REVIEWS = [f"{label} the {noun} was {word} !" for noun in NOUNS for label, word in (("+", "great"), ("-", "awful"))]


class Notes(Watch):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def train(
    folder: Path, lines: list[str] = REVIEWS, valid: list[str] | None = None, *, name: str = "m", **more: Any
) -> Trained[Classifier, LabelScores]:
    (folder / "train.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "valid.txt").write_text("\n".join(lines if valid is None else valid) + "\n", encoding="utf-8")
    data = ClassifyData(str(folder / "train.txt"), str(folder / "valid.txt"))
    training = TrainingOptions(**{"epochs": 30, "batch_size": 4, "learning_rate": 0.02, **more.pop("training", {})})
    options = more.pop("model", SMALL)
    return train_classifier(data, options, more.pop("text", CLASSIFY_TEXT), training, folder / name, **more)


@pytest.mark.parametrize("pooling", ["attention", "max", "mean", "last"])
def test_it_learns_every_pooling(tmp_path: Path, pooling: Any) -> None:
    run = train(tmp_path, model=replace(SMALL, pooling=pooling))
    assert run.valid.accuracy == 100.0
    again = load_as(Classifier, tmp_path / "m")
    assert again.classify(["THE SONG was great!", "the cast was awful"]) == [("+",), ("-",)]
    assert_close(again.probabilities(REVIEWS), run.model.probabilities(REVIEWS))


@pytest.mark.parametrize("level", ["char", "bpe"])
def test_it_learns_from_other_symbols(tmp_path: Path, level: Any) -> None:
    text = replace(CLASSIFY_TEXT, level=level, vocabulary_size=300)
    assert train(tmp_path, text=text, training={"epochs": 40}).valid.accuracy == 100.0


def test_a_cell_with_options_of_its_own(tmp_path: Path) -> None:
    model = replace(SMALL, cell="scrn", cell_options={"context_size": 3}, bidirectional=False)
    run = train(tmp_path, model=model, training={"epochs": 1})
    assert run.model.encoder.output_size == 11
    assert load_as(Classifier, tmp_path / "m").options.cell_options == {"context_size": 3}
    with pytest.raises(UsageError, match="which the cell scrn does not take"):
        train(tmp_path, name="n", model=replace(model, cell_options={"kontext": 3}))


def test_alone_as_in_company(tmp_path: Path) -> None:
    classifier = train(tmp_path, training={"epochs": 1}).model.double()
    texts = [*(line[2:] for line in REVIEWS), "", "great", "unheard of words " * 9]
    together = classifier.probabilities(texts)
    alone = torch.cat([classifier.probabilities([text]) for text in texts])
    torch.testing.assert_close(together, alone)
    assert_close(together.sum(-1), torch.ones(len(texts)))


def test_several_labels(tmp_path: Path) -> None:
    lines = [f"{label} {words}" for label, words in (("a", "one"), ("b", "two"), ("a|b", "one two"), ("|", "three"))]
    run = train(tmp_path, lines * 3, file=LabelledFile(label_separator="|"), training={"epochs": 60})
    assert run.model.several
    assert run.model.classify(["one two", "three", "two"]) == [("a", "b"), (), ("b",)]
    assert run.valid.accuracy == run.valid.micro_f1 == 100.0


def test_series_of_vectors(tmp_path: Path) -> None:
    """Which of two directions a noisy walk takes; each feature has a scale of its own, and one never changes."""
    generator = np.random.default_rng(0)
    y = np.arange(60) % 2
    walk = (generator.normal(size=(60, 9)) + 2 * y[:, None] - 1).cumsum(1)
    x = np.stack([1000 + 100 * walk, 0.01 * generator.normal(size=(60, 9)), np.ones((60, 9))], -1)
    np.savez(tmp_path / "walks.npz", x=x, y=y)
    data = ClassifyData(str(tmp_path / "walks.npz"))
    training = TrainingOptions(epochs=10, batch_size=8, learning_rate=0.02)
    run = train_classifier(data, SMALL, CLASSIFY_TEXT, training, tmp_path / "m")
    scores, _ = evaluate_classifier(load_as(Classifier, tmp_path / "m"), tmp_path / "walks.npz")
    assert scores.accuracy > 95
    assert run.model.tokenizer is None
    with pytest.raises(ShapeError, match=r"a series is \(9, 2\), wanted \(T > 0, D=3\)"):
        run.model.classify([Example(np.ones((9, 2), np.float32))])
    with pytest.raises(UsageError, match="reads series of vectors, and a text came"):
        run.model.classify(["text"])


def test_scores_against_numbers_by_hand() -> None:
    # Four examples, labels a and b: found a a b, given a b b, right a b; the fourth is neither found nor given.
    scores = LabelScores(4, 3, {"a": 2, "b": 1}, {"a": 1, "b": 2}, {"a": 1, "b": 1}, {})
    assert scores.accuracy == 75.0
    assert scores.f1("a") == scores.f1("b") == pytest.approx(200 / 3)
    assert scores.micro_f1 == scores.macro_f1 == pytest.approx(200 / 3)
    assert "F1  66.67%; 1 in the file, 2 found, 1 of them right" in scores.report()


def test_the_word_that_carried_the_label_is_named(tmp_path: Path) -> None:
    classifier = train(tmp_path).model
    assert explain_label(classifier, "an unheard plot").words == ["an", "unheard", "plot"]
    why = explain_label(classifier, "The film was great!")
    assert why.words == ["the", "film", "was", "great", "!"]
    assert why.label == "+"
    assert why.influence.index(max(why.influence)) == 3
    assert why.attention is not None
    assert sum(why.attention) == pytest.approx(1.0, abs=1e-5)


def test_influence_is_the_first_order_change_of_the_score(tmp_path: Path) -> None:
    model = replace(SMALL, ngrams=0)
    classifier = train(tmp_path, model=model, training={"epochs": 2}).model.double()
    text, step = "the film was great", 1e-6
    why = explain_label(classifier, text)
    batch = classifier.encode([Example(text)])
    place = classifier.labels.index(why.label)
    with torch.no_grad():
        vectors = classifier.vectors(batch)
        for word in range(4):
            scores = []
            for sign in (1, -1):
                changed = vectors.clone()
                changed[0, word] *= 1 + sign * step
                encoded = classifier.read(changed, batch.content.lengths)
                scores.append(float(classifier.scores_of(encoded, batch.content.lengths)[0, place]))
            assert (scores[0] - scores[1]) / (2 * step) == pytest.approx(why.influence[word], rel=1e-4, abs=1e-9)


def test_stopped_and_resumed_ends_in_the_same_bytes(tmp_path: Path) -> None:
    class Stop(Watch):
        def epoch_ended(self, row: dict[str, float], best: bool) -> None:
            if row["epoch"] == 2:
                raise KeyboardInterrupt

    train(tmp_path, name="whole", training={"epochs": 4})
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, name="stopped", training={"epochs": 4}, watch=Stop())
    train(tmp_path, name="stopped", training={"epochs": 4}, resume=True)
    whole, stopped = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "stopped"))
    assert whole == stopped


def test_empty_texts_are_left_out_and_said(tmp_path: Path) -> None:
    watch = Notes()
    train(tmp_path, [*REVIEWS, "+", "-"], watch=watch, training={"epochs": 1})
    assert any("train.txt has 2 empty texts, the first in line 11; they are left out" in note for note in watch.notes)
    with pytest.raises(DataError, match="every text is empty"):
        train(tmp_path, ["+", "-"], name="n")


def test_one_class_only_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"train.txt: every example has the label '\+'"):
        train(tmp_path, ["+ fine", "+ great"])


def test_labels_unseen_in_training_are_said_and_count_as_wrong(tmp_path: Path) -> None:
    watch = Notes()
    run = train(tmp_path, valid=[*REVIEWS, "? the plot was odd"], watch=watch)
    assert any("labels that training has not, which cannot be found: ? (1)" in note for note in watch.notes)
    assert run.valid.accuracy == pytest.approx(100 * 10 / 11)
    scores = score_classifier(run.model, [Example("odd", ("?",))])
    assert scores.unknown == {"?": 1}
    assert scores.accuracy == 0.0


def test_weights_that_are_not_numbers_are_named(tmp_path: Path) -> None:
    classifier = train(tmp_path, training={"epochs": 1}).model
    with torch.no_grad():
        classifier.output.bias.fill_(torch.nan)
    with pytest.raises(ModelError, match="the weights of this model are damaged"):
        classifier.classify(["fine"])
