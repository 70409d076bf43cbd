"""N-grams of a classifier: what they are, that their weights cost least, how the recurrent net is mixed with them."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from tests.tasks.test_classify import REVIEWS, SMALL, Notes, train
from timeloom.cli.main import main
from timeloom.core import UsageError
from timeloom.data import Example
from timeloom.tasks import load_as
from timeloom.tasks.classify import (
    CLASSIFY_TEXT,
    CLASSIFY_TRAINING,
    Classifier,
    ClassifierOptions,
    ClassifyData,
    explain_label,
    train_classifier,
    training,
)
from timeloom.tasks.classify.learn_ngrams import Solver, learn_ngrams
from timeloom.tasks.classify.mixture import SHARE, Mixture
from timeloom.tasks.classify.ngrams import Grams, NGrams, frequent_grams, piece_grams, product, word_grams
from timeloom.tasks.folder import read_config
from timeloom.tasks.runs import may_become
from timeloom.train import TrainingOptions


def test_n_grams_of_two_words() -> None:
    assert word_grams(["to", "be"]) == [("to", (0,)), ("be", (1,)), ("to be", (0, 1))]
    pieces = [("  to", (0,)), (" to ", (0,)), ("  to ", (0,)), ("  be", (1,)), (" be ", (1,)), ("  be ", (1,))]
    assert piece_grams(["to", "be"]) == pieces
    assert word_grams([]) == piece_grams([]) == []


def test_the_most_frequent_are_kept_ties_by_hash() -> None:
    seen = frequent_grams([["a", "b"], ["a"], ["a"]], 3)
    assert list(seen) == sorted(seen)
    assert seen[crc32(b"a")] == seen[crc32(b"  a ")] == 3  # its only piece
    assert sorted(seen.values()) == [1, 3, 3]


def test_values_against_numbers_by_hand() -> None:
    ngrams = NGrams(3, 2)
    ngrams.hashes = torch.tensor(sorted(crc32(gram) for gram in (b"a", b"b", b"  a ")))
    ngrams.idf = torch.tensor([2.0, 2.0, 2.0])
    rows, values = ngrams.encode(["a", "a", "b", "c"])
    found = {int(ngrams.hashes[row]): value for row, value in zip(rows, values.tolist(), strict=True)}
    twice = 1 + math.log(2)
    assert found[crc32(b"a")] == pytest.approx(twice / math.hypot(twice, 1))
    assert found[crc32(b"b")] == pytest.approx(1 / math.hypot(twice, 1))
    assert found[crc32(b"  a ")] == pytest.approx(1)  # pieces are scaled by themselves
    assert len(ngrams.encode([])[0]) == len(ngrams.encode(["nothing"])[0]) == 0


@pytest.mark.parametrize("several", [False, True])
def test_the_solution_has_no_gradient_left(several: bool) -> None:
    torch.manual_seed(0)
    texts = [(torch.randperm(9)[:4], torch.rand(4, dtype=torch.float64)) for _ in range(30)]
    grams, size = Grams.of(texts), 9
    labels = F.one_hot(torch.randint(3, (30,)), 3).double()
    start = torch.zeros(size, 3, dtype=torch.float64), torch.zeros(3, dtype=torch.float64)
    weight, bias = (part.requires_grad_() for part in Solver(grams, size, labels, several).solve(10.0, *start))
    table = torch.zeros(30, size, dtype=torch.float64)
    for row, (rows, values) in enumerate(texts):
        table[row, rows] = values
    scores = table @ weight + bias
    torch.testing.assert_close(scores, product(grams, weight) + bias)
    wrong = F.binary_cross_entropy_with_logits if several else F.cross_entropy
    (wrong(scores, labels, reduction="sum") + weight.square().sum() / 20).backward()
    for part in (weight, bias):
        assert part.grad is not None
        assert part.grad.abs().max() < 1e-2


def test_they_tell_labels_apart() -> None:
    texts = [review[2:].split() for review in REVIEWS]
    labels = torch.tensor([[1.0, 0.0], [0.0, 1.0]]).repeat(len(texts) // 2, 1)
    ngrams = learn_ngrams(texts, labels, texts, labels, False, 1000)
    assert torch.equal(ngrams(Grams.of([ngrams.encode(words) for words in texts])).argmax(-1), labels.argmax(-1))
    adds = ngrams.influence(["the", "plot", "was", "greatest"], 0)
    assert adds.index(max(adds)) == 3  # though nobody has seen the word
    whole = ngrams(Grams.of([ngrams.encode(["the", "plot", "was", "greatest"])]))[0, 0]
    assert sum(adds) == pytest.approx(float(whole - ngrams.bias[0]), rel=1e-5)


def both(sure: float, right: int, count: int = 400) -> tuple[Tensor, Tensor]:
    """Scores of two labels, of which the first `right` are right, `sure` nats apart; and the labels."""
    labels = F.one_hot(torch.arange(count) % 2, 2).float()
    signs = torch.where(torch.randperm(count, generator=torch.Generator().manual_seed(right)) < right, 1.0, -1.0)
    return signs[:, None] * (labels - 0.5) * sure, labels


def test_who_is_surer_is_not_trusted_more() -> None:
    (loud, labels), (quiet, _) = both(20.0, 300), both(0.1, 300)
    mixture = Mixture(several=False)
    mixture.fit(loud, quiet, labels)
    assert float(mixture.recurrent) * 200 == pytest.approx(SHARE * float(mixture.ngrams), rel=0.15)


def test_who_is_right_more_often_is_trusted_more() -> None:
    (good, labels), (bad, _) = both(1.0, 380), both(1.0, 240)
    mixture = Mixture(several=False)
    mixture.fit(bad, good, labels)
    assert float(mixture.ngrams) > 2 * float(mixture.recurrent)


def test_saved_is_loaded_and_alone_is_in_company(tmp_path: Path) -> None:
    run = train(tmp_path, model=ClassifierOptions(hidden_size=8, embedding_size=8, character_hidden_size=4))
    assert run.model.ngrams is not None
    assert run.model.speller is not None
    assert float(run.model.mixture.ngrams if run.model.mixture else 0) != 1.0
    again = load_as(Classifier, tmp_path / "m")
    texts = [*(line[2:] for line in REVIEWS), "", "GREATEST", "unheard of words"]
    assert torch.equal(again.probabilities(texts), run.model.probabilities(texts))
    alone = torch.cat([again.double().probabilities([text]) for text in texts])
    torch.testing.assert_close(again.probabilities(texts), alone)
    assert again.classify(["it was the greatest", "such awfulness"]) == [("+",), ("-",)]


def test_influence_is_that_of_the_whole_score(tmp_path: Path) -> None:
    """Without its recurrent part, a word's influence is what it adds to the score."""
    classifier = train(tmp_path).model
    assert classifier.mixture is not None
    assert classifier.ngrams is not None
    classifier.mixture.recurrent.fill_(0.0)
    why = explain_label(classifier, "the film was great")
    scores = classifier(classifier.encode([Example("the film was great")]))[0]
    bias = classifier.ngrams.bias * classifier.mixture.ngrams
    wanted = (scores - (bias - bias.mean()))[classifier.labels.index(why.label)]
    assert sum(why.influence) == pytest.approx(float(wanted.detach()), rel=1e-4)
    assert why.influence.index(max(why.influence)) == 3


def test_capitals_are_letters(tmp_path: Path) -> None:
    lines = [f"{label} {noun} {word}" for noun in "abcdef" for label, word in (("+", "WORD"), ("-", "word"))]
    run = train(tmp_path, lines, model=replace(SMALL, ngrams=0), training={"epochs": 40})
    assert run.valid.accuracy == 100.0
    assert run.model.words_of("A WORD") == ["a", "word"]
    assert run.model.words_of("A WORD", cased=True) == ["A", "WORD"]
    assert run.model.words_of("İ WORD", cased=True) == run.model.words_of("İ WORD")  # two letters in lower case


def test_without_n_grams_and_letters(tmp_path: Path) -> None:
    plain = train(tmp_path, model=replace(SMALL, ngrams=0, characters="none")).model
    assert plain.ngrams is plain.mixture is plain.speller is None
    assert plain.letters.symbols == ()
    byte_pairs = train(tmp_path, name="n", text=replace(CLASSIFY_TEXT, level="char"), training={"epochs": 1}).model
    assert byte_pairs.ngrams is byte_pairs.speller is None
    with pytest.raises(UsageError, match="ngrams is -1, wanted 0 or more"):
        ClassifierOptions(ngrams=-1)


def test_small_sets_get_more_passes() -> None:
    assert CLASSIFY_TRAINING.epochs is None
    assert CLASSIFY_TRAINING.passes(10) == 120
    assert CLASSIFY_TRAINING.passes(11) == 110
    assert CLASSIFY_TRAINING.passes(1000) == CLASSIFY_TRAINING.passes(100) == 12
    assert TrainingOptions(epochs=3).passes(1) == 3


def test_n_grams_of_much_text_are_learned_from_some_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert training.drawn([5, 0, 7]) == [0, 1, 2]
    monkeypatch.setattr(training, "MOST_WORDS", 25)  # reviews have five words and signs each
    assert training.drawn([99, 99]) in ([0], [1])
    assert len(training.drawn([5] * 10)) == 5
    watch = Notes()
    train(tmp_path, watch=watch, training={"epochs": 1})
    assert any("learned from 5 of the 10 texts, which have 25 words" in note for note in watch.notes)


def test_what_is_saved_says_what_was_learned(tmp_path: Path) -> None:
    train(tmp_path, training={"epochs": None}, model=replace(SMALL, ngrams=50))
    config = read_config(tmp_path / "m")
    assert config["model"]["ngrams"] == config["ngrams"] == 50
    assert config["model"]["characters"] == "cnn"
    assert config["letters"][:2] == ["<pad>", "<unk>"]
    assert config["training"]["epochs"] is None
    assert config["epoch"] > 12  # three updates each


def test_options_stand_in_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["train", "classify", "--help"])
    shown = capsys.readouterr().out
    for option in ("--ngrams", "--characters", "--character_embedding_size", "--character_hidden_size"):
        assert option in shown


def test_short_sets_of_series_have_no_more_passes(tmp_path: Path) -> None:
    np.savez(tmp_path / "s.npz", x=np.eye(8)[:, :, None], y=np.arange(8) % 2)
    data = ClassifyData(str(tmp_path / "s.npz"))
    run = train_classifier(data, SMALL, CLASSIFY_TEXT, CLASSIFY_TRAINING, tmp_path / "m")
    assert len(run.progress.history) == 12


def test_a_number_of_passes_left_open_stays_open_on_resume() -> None:
    assert not may_become("epochs", None, 20, {"schedule": "constant"})
    assert not may_become("epochs", 20, None, {"schedule": "constant"})
    assert may_become("epochs", None, None, {"schedule": "linear"})
    assert may_become("epochs", 20, 30, {"schedule": "constant"})
