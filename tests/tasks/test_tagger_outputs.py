"""A tagger's outputs: what wrong tags cost, how sure it is, and scores that are not numbers."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.corpora import PLAIN, write_conll
from timeloom.core import ModelError, RunError, UsageError
from timeloom.data import UNKNOWN, to_bio
from timeloom.structured import StructuredSVM
from timeloom.tasks.tagging import Tagger, TaggerOptions, TaggingData, train_tagger
from timeloom.tasks.tagging.words import WordVectors
from timeloom.train import TrainingOptions

SMALL = TaggerOptions(hidden_size=12, embedding_size=8, **PLAIN)


def test_costs_of_types() -> None:
    tags = ["B-day", "B-to", "I-to", "O"]
    vocabulary = {"words": ["<pad>", UNKNOWN], "tags": tags, "characters": ["<pad>", UNKNOWN]}
    options = replace(SMALL, output="svm", cost_missed=2.0, cost_invented=0.5, type_costs={"to": 3.0})
    tagger = Tagger(options, vocabulary)
    assert isinstance(tagger.dependence, StructuredSVM)
    assert tagger.dependence.costs.tolist() == [[0, 1, 1, 2], [3, 0, 3, 6], [3, 3, 0, 6], [0.5, 0.5, 0.5, 0]]
    with pytest.raises(UsageError, match=r"type_costs name 'city', which is no type .* there are: day, to"):
        Tagger(replace(options, type_costs={"city": 1.0}), vocabulary)
    with pytest.raises(UsageError, match="type_costs of to is -1"):
        replace(options, type_costs={"to": -1.0})
    with pytest.raises(UsageError, match="cost_missed is for the output svm; the output is crf"):
        replace(SMALL, output="crf", cost_missed=2.0)


@pytest.mark.parametrize("members", [1, 2])
@pytest.mark.parametrize("output", ["softmax", "crf", "svm"])
def test_confidences_and_paths_are_those_of_enumeration(output, members: int) -> None:
    torch.manual_seed(1)
    vocabulary = {"words": ["<pad>", UNKNOWN], "tags": ["B-x", "I-x", "O"], "characters": ["<pad>", UNKNOWN]}
    tagger = Tagger(replace(SMALL, output=output, members=members), vocabulary).double().eval()
    for parameter in tagger.parameters():
        torch.nn.init.normal_(parameter)
    tokens = ["a", "b", "c"]
    batch = tagger.encode([tokens])
    means = torch.stack([scores.tags.detach() for scores in tagger.read(batch)]).mean(0)
    chain = tagger.chain(means, batch)
    every = torch.tensor(list(itertools.product(range(3), repeat=3)))
    chances = chain.score(every[:, None])[:, 0].softmax(0).detach()
    (tagged,) = tagger.analyse([tokens], confidences=True, paths=27)
    wanted: dict[tuple[str, ...], float] = {}  # the paths of softmax may break the scheme, and are repaired
    for path, chance in zip(every.tolist(), chances.tolist(), strict=True):
        if chance > 0:
            tags = to_bio([tagger.tags[k] for k in path], "bio")[0]
            wanted[tags] = wanted.get(tags, 0.0) + chance
    assert {tuple(tags): chance for tags, chance in tagged.paths} == pytest.approx(wanted)
    assert len(tagged.paths) < 27
    best = every[chances.argmax()]
    assert tagged.tags == list(to_bio([tagger.tags[k] for k in best], "bio")[0])
    shown = [tagger.tags.index(tag) for tag in tagged.tags]
    assert tagged.confidences == pytest.approx([float(chances[every[:, t] == k].sum()) for t, k in enumerate(shown)])
    assert [way for way, _ in tagger.analyse([tokens], paths=1)[0].paths] == [tagged.tags]


def test_costs_of_no_type_leave_no_folder(tmp_path: Path) -> None:
    path = str(write_conll(tmp_path / "t.conll"))
    options = replace(SMALL, output="svm", type_costs={"city": 2.0})
    with pytest.raises(UsageError, match="type_costs name 'city'"):
        train_tagger(TaggingData(path, valid=path), options, TrainingOptions(), tmp_path / "m")
    assert [file.name for file in tmp_path.iterdir()] == ["t.conll"]


def test_a_model_with_damaged_weights_names_the_sentence() -> None:
    vocabulary = {"words": ["<pad>", UNKNOWN, "Oslo"], "tags": ["O", "B-x"], "characters": ["<pad>", UNKNOWN]}
    tagger = Tagger(replace(SMALL, output="crf"), vocabulary)
    with torch.no_grad():
        tagger.word_vectors.embedding.weight[2] = torch.nan
    assert tagger.tag([["to", "Rome"]])
    with pytest.raises(ModelError, match="scores of the sentence 'to Oslo' are not numbers"):
        tagger.tag([["to", "Rome"], ["to", "Oslo"], ["on", "and", "on"]])
    assert tagger.training
    for damaged in ("output", "label_output"):
        labelled = Tagger(replace(SMALL, members=2), {**vocabulary, "labels": ["a", "b"]})
        with torch.no_grad():
            dict(labelled.named_parameters())[f"members.1.{damaged}.weight"][1] = torch.nan
        with pytest.raises(ModelError, match="scores of the sentence 'to Rome' are not numbers"):
            labelled.tag([["to", "Rome"]])


@pytest.mark.parametrize("members", [1, 2])
@pytest.mark.parametrize("output", ["softmax", "crf", "svm"])
def test_a_training_that_blew_up_has_a_loss_that_says_so(tmp_path: Path, output, members: int, monkeypatch) -> None:
    """Not an error of the chain's: the training loop knows epoch and step, and what to do."""
    forward = WordVectors.forward
    monkeypatch.setattr(WordVectors, "forward", lambda vectors, batch: forward(vectors, batch) * torch.nan)
    path = str(write_conll(tmp_path / "t.conll"))
    data = TaggingData(path, valid=path)
    with pytest.raises(RunError, match="the loss became nan in epoch 1, step 1"):
        train_tagger(data, replace(SMALL, output=output, members=members), TrainingOptions(), tmp_path / "m")
