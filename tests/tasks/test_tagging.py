from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tests.corpora import PLAIN, TWENTY, Listening, sentences, write_conll
from tests.tolerances import assert_close
from timeloom.core import DataError, UsageError
from timeloom.data import UNKNOWN, Sentence, chunks, tag_parts, travel_corpus
from timeloom.layers import SharedLinear
from timeloom.structured import HMMHybrid
from timeloom.tasks import load_as
from timeloom.tasks.folder import write_model
from timeloom.tasks.tagging import (
    TaggedFile,
    Tagger,
    TaggerOptions,
    TaggingData,
    evaluate_tagger,
    score_tagger,
    train_tagger,
)
from timeloom.tasks.tagging.data import collect_vocabulary, words_of
from timeloom.tasks.tagging.member import Member
from timeloom.tasks.tagging.training import TaggingProblem
from timeloom.train import TrainingOptions, fit, score_chunks

SMALL = TaggerOptions(hidden_size=16, embedding_size=16, **PLAIN)
QUICK = TrainingOptions(epochs=40, batch_size=4, learning_rate=0.02)


def made(options: TaggerOptions = SMALL) -> Tagger:
    torch.manual_seed(3)
    vocabulary, seen = collect_vocabulary(sentences(), options, 1), words_of(sentences(), options)
    tagger = Tagger(options, vocabulary)
    tagger.word_vectors.counts = torch.tensor([seen[word] for word in vocabulary["words"]], dtype=torch.float32)
    return tagger


@pytest.mark.parametrize("characters", ["none", "recurrent", "cnn"])
@pytest.mark.parametrize("cell", ["lstm", "gru", "elman", "jordan", "scrn", "sru"])
def test_it_memorises_twenty_lines(tmp_path: Path, cell, characters) -> None:
    options = replace(SMALL, cell=cell, characters=characters)
    tagger = made(options)
    fit(tagger, TaggingProblem(tagger, sentences(), sentences(), QUICK), QUICK, tmp_path)
    assert score_tagger(tagger, sentences()).chunks.overall.f1 == 100


def test_tags_that_share_weights_memorise_and_are_saved(tmp_path: Path) -> None:
    path, options = write_conll(tmp_path / "t.conll"), replace(SMALL, shared_tags=True, output="crf")
    run = train_tagger(TaggingData(str(path), valid=str(path)), options, QUICK, tmp_path / "m")
    assert run.valid.chunks.overall.f1 == 100
    again = load_as(Tagger, tmp_path / "m")
    output, parts = cast(Member, again.members[0]).output, [tag_parts(tag) for tag in again.tags]
    assert isinstance(output, SharedLinear)
    assert torch.equal(output.rows, SharedLinear(1, parts).rows)
    batch = again.encode(sentences())
    assert torch.equal(again(batch), run.model(batch))


@pytest.mark.parametrize("output", ["crf", "perceptron", "svm", "hmm"])
def test_outputs_over_a_chain_memorise_and_are_saved(tmp_path: Path, output) -> None:
    tagger = made(replace(SMALL, output=output))
    if isinstance(tagger.dependence, HMMHybrid):
        tagger.dependence.count([tagger.tag_ids(s.tags or ()) for s in sentences()])
    fit(tagger, TaggingProblem(tagger, sentences(), sentences(), QUICK), QUICK, tmp_path / "work")
    assert score_tagger(tagger, sentences()).chunks.overall.f1 == 100
    assert tagger.dependence is not None
    assert tagger.dependence.transitions.any()
    write_model(tmp_path / "model", {"task": "tag", **tagger.config()}, tagger.state_dict(), {})
    again, tokens = load_as(Tagger, tmp_path / "model"), [s.tokens for s in sentences()]
    assert again.tag(tokens) == tagger.tag(tokens)
    chances = again.probabilities(tokens[0])
    torch.testing.assert_close(chances.sum(-1), torch.ones(len(tokens[0])))
    inside = [k for k, tag in enumerate(again.tags) if tag.startswith("I-")]
    assert not chances[0, inside].any()  # no chunk begins inside


def test_a_training_with_hmm_counts_the_training_tags(tmp_path: Path) -> None:
    train, valid = write_conll(tmp_path / "t.conll", TWENTY[:12]), write_conll(tmp_path / "v.conll", TWENTY[12:])
    data = TaggingData(str(train), valid=str(valid))
    tagger = train_tagger(data, replace(SMALL, output="hmm"), replace(QUICK, epochs=1), tmp_path / "m").model
    tags = [tag for _, row in TWENTY[:12] for tag in row.split()]
    wanted = torch.tensor([tags.count(tag) + 0.1 for tag in tagger.tags])
    assert isinstance(tagger.dependence, HMMHybrid)
    torch.testing.assert_close(tagger.dependence.priors, wanted / wanted.sum())


def test_beside_labels_the_best_epoch_is_that_of_tags_and_labels_together() -> None:
    labelled = [replace(sentence, label="with" if "B-day" in (sentence.tags or ()) else "") for sentence in sentences()]
    vocabulary = collect_vocabulary(labelled, SMALL, 1)
    torch.manual_seed(0)
    tagger = Tagger(SMALL, vocabulary).eval()
    problem = TaggingProblem(tagger, labelled, labelled, QUICK)
    scores = problem.validate(tagger)
    assert problem.selected_by == "joint"
    assert scores["joint"] == pytest.approx((scores["f1"] + scores["label_accuracy"]) / 2)
    assert scores["f1"] != scores["label_accuracy"]
    plain = made()
    assert TaggingProblem(plain, sentences(), sentences(), QUICK).selected_by == "f1"


@pytest.mark.parametrize("output", ["softmax", "crf"])
def test_a_sentence_is_tagged_alone_as_in_company(output) -> None:
    tagger = made(replace(SMALL, characters="recurrent", output=output)).double().eval()
    tokens = [s.tokens for s in sentences()]
    together = tagger(tagger.encode(tokens))
    for row, sentence in enumerate(tokens):
        alone = tagger(tagger.encode([sentence]))
        assert_close(together[row, : len(sentence)], alone[0])
    assert tagger.tag(tokens, batch_size=3) == [tagger.tag([s])[0] for s in tokens]
    assert tagger.tag([[], ["Oslo"], []]) == [[], tagger.tag([["Oslo"]])[0], []]


def test_probabilities_agree_with_the_tags() -> None:
    tagger = made()
    probabilities = tagger.probabilities(["fly", "to", "Oslo"])
    torch.testing.assert_close(probabilities.sum(-1), torch.ones(3))
    assert probabilities.shape == (3, len(tagger.tags))
    assert tagger.training


def test_loss_is_the_mean_over_tagged_steps() -> None:
    tagger = made().eval()
    batch = tagger.encode([Sentence(("fly", "to", "Oslo"), ("O", "O", "B-to")), Sentence(("Rome",), ("B-never-seen",))])
    log_probabilities = F.log_softmax(tagger(batch), dim=-1)
    ids = [tagger.tags.index(tag) for tag in ("O", "O", "B-to")]
    by_hand = -sum(log_probabilities[0, step, tag] for step, tag in enumerate(ids)) / 3
    torch.testing.assert_close(tagger.loss(batch), by_hand)


def test_rare_words_are_hidden_more_often() -> None:
    tagger = made(replace(SMALL, word_dropout=1.0)).train()
    batch = tagger.encode([["Oslo"] * 2000, ["thanks"] * 2000])
    seen: list[torch.Tensor] = []
    tagger.word_vectors.embedding.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    tagger(batch)
    hidden = (seen[0] == tagger.words.ids[UNKNOWN]).double().mean(-1)
    counts = [sum(words.split().count(word) for words, _ in TWENTY) for word in ("Oslo", "thanks")]
    expected = torch.tensor([1 / (1 + count) for count in counts], dtype=torch.float64)
    torch.testing.assert_close(hidden, expected, atol=0.05, rtol=0)  # 4.5 standard deviations of 2000 coins
    tagger.eval()(batch)
    assert not bool((seen[1] == tagger.words.ids[UNKNOWN]).any())


def test_normal_forms() -> None:
    assert TaggerOptions(lowercase=True, digits=True).normal_form("B747") == "b000"
    assert TaggerOptions(digits=False).normal_form("B747") == "B747"
    tagger = made(replace(SMALL, lowercase=True))
    assert tagger.words.encode(["oslo"]) != [tagger.words.ids[UNKNOWN]]
    assert bool((tagger.encode([["OSLO"]]).words.data == tagger.encode([["oslo"]]).words.data).all())


class BagOfWords(nn.Module):
    """A control: sees the word and all words of its sentence, but no order."""

    def __init__(self, tagger: Tagger, context: bool):
        super().__init__()
        self.tagger, self.context = tagger, context
        E = tagger.options.embedding_size
        self.layers = nn.Sequential(nn.Linear(2 * E, 128), nn.ReLU(), nn.Linear(128, len(tagger.tags)))

    def forward(self, batch) -> torch.Tensor:
        vectors = self.tagger.word_vectors.embedding(batch.words.data)
        real = batch.words.mask()[..., None]
        mean = (vectors * real).sum(1, keepdim=True) / real.sum(1, keepdim=True)
        return self.layers(torch.cat([vectors, mean.expand_as(vectors) * self.context], dim=-1))


@pytest.mark.parametrize("context", [True, False], ids=["order-blind", "context-blind"])
def test_controls_fail_on_the_shipped_corpus_where_the_tagger_does_not(context: bool) -> None:
    """What tells departure from destination is order: a bag of words must not find it.

    That the tagger does is for tests/cli/test_demo.py to show.
    """
    corpus = travel_corpus()
    options = TaggerOptions(embedding_size=64)
    torch.manual_seed(1)
    vocabulary = collect_vocabulary(corpus["train"], options, 1)
    tagger = Tagger(options, vocabulary)
    control = BagOfWords(tagger, context)
    optimizer = torch.optim.Adam(control.parameters(), lr=3e-3)
    problem = TaggingProblem(tagger, corpus["train"], corpus["valid"], TrainingOptions(batch_size=32))
    for epoch in range(12):
        for indices in problem.plan(epoch):
            batch = problem.batch(indices)
            assert batch.tags is not None
            loss = F.cross_entropy(control(batch).flatten(0, 1), batch.tags.flatten())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    def tagged(tokens: tuple[str, ...]) -> list[str]:
        return [tagger.tags[k] for k in control(tagger.encode([tokens]))[0].argmax(-1).tolist()]

    gold = [chunks(s.tags or ()) for s in corpus["valid"]]
    with torch.inference_mode():
        found = [chunks(tagged(s.tokens)) for s in corpus["valid"]]
    scores = score_chunks(gold, found, tokens=1, correct_tokens=1).by_type
    assert scores["destination"].f1 < 80
    assert scores["departure"].f1 < 80
    if context:
        assert scores["time"].f1 > 80  # it does learn what words alone tell


def test_dropout_falls_in_training_only() -> None:
    tagger = made(replace(SMALL, dropout=0.5))
    batch = tagger.encode([["fly", "to", "Oslo"]])
    assert not torch.equal(tagger.train()(batch), tagger(batch))
    assert torch.equal(tagger.eval()(batch), tagger(batch))


def test_a_sentence_as_one_string_is_refused() -> None:
    for wrong in ("fly to Oslo", ["fly to Oslo"]):
        with pytest.raises(UsageError, match="list of tokens"):
            made().tag(wrong)


def test_held_out_sentences_and_repairs_are_told(tmp_path: Path) -> None:
    rows = [*TWENTY, ("Oslo now", "I-to O")]
    watch = Listening()
    data = TaggingData(str(write_conll(tmp_path / "t.conll", rows)))
    run = train_tagger(data, SMALL, replace(QUICK, epochs=1), tmp_path / "m", watch=watch)
    assert any("1 " in note and "t.conll" in note for note in watch.notes)
    assert any("2 of the 21 sentences" in note and "held out" in note for note in watch.notes)
    assert run.valid.sentences == 2


def test_a_final_model_learns_from_the_validation_sentences_too(tmp_path: Path) -> None:
    train, valid = write_conll(tmp_path / "t.conll", TWENTY[:8]), write_conll(tmp_path / "v.conll", TWENTY[8:])
    data = TaggingData(str(train), valid=str(valid), train_on_valid=True)
    run = train_tagger(data, SMALL, replace(QUICK, keep="last"), tmp_path / "m")
    assert run.progress.best_epoch + 1 == QUICK.epochs
    assert "thanks" in run.model.words  # which only the second file has
    assert run.valid.chunks.overall.f1 == 100
    with pytest.raises(UsageError, match="give keep=last"):
        train_tagger(data, SMALL, QUICK, tmp_path / "n")


def test_one_sentence_cannot_be_held_out(tmp_path: Path) -> None:
    path = write_conll(tmp_path / "one.conll", TWENTY[:1])
    with pytest.raises(DataError, match="one sentence only"):
        train_tagger(TaggingData(str(path)), SMALL, QUICK, tmp_path / "m")
    with_valid = TaggingData(str(path), valid=str(path))
    assert train_tagger(with_valid, SMALL, replace(QUICK, epochs=2), tmp_path / "m").valid.sentences == 1


def test_unknown_tags_in_test_data_are_counted_and_told(tmp_path: Path) -> None:
    path = write_conll(tmp_path / "t.conll", [("to Mars", "O B-planet"), ("to Rome", "O B-to")])
    scores, notes = evaluate_tagger(made(), path)
    assert scores.unknown_tags == {"B-planet": 1}
    assert scores.chunks.by_type["planet"].gold == 1
    assert "B-planet (1)" in notes[0]


def test_unknown_tags_in_the_test_data_of_a_training_are_told(tmp_path: Path) -> None:
    train = write_conll(tmp_path / "t.conll")
    test = write_conll(tmp_path / "test.conll", [("to Mars", "O B-planet")])
    watch = Listening()
    data = TaggingData(str(train), valid=str(train), test=str(test))
    train_tagger(data, SMALL, replace(QUICK, epochs=1), tmp_path / "m", watch=watch)
    assert any("test.conll has tags that the model was not trained on" in note for note in watch.notes)


def test_other_schemes_are_read_as_bio(tmp_path: Path) -> None:
    rows = [("to New York", "O B-to E-to"), ("to Rome", "O S-to")]
    scores, _ = evaluate_tagger(made(), write_conll(tmp_path / "t.conll", rows), TaggedFile(scheme="iobes"))
    assert scores.chunks.overall.gold == 2
    assert scores.unknown_tags == {}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"hidden_size": 0}, "hidden_size is 0"),
        ({"dropout": 1.0}, "dropout is 1.0"),
        ({"word_dropout": -1.0}, "word_dr"),
    ],
)
def test_options_that_make_no_sense(wrong, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        replace(SMALL, **wrong)
