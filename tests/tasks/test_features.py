"""What a tagger may know of a word beside the word, and the label it learns beside the tags."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.corpora import PLAIN, TWENTY, Listening, sentences, write_conll
from timeloom.core import DataError, UsageError
from timeloom.data import UNKNOWN, Sentence
from timeloom.tasks import Trained, load_as
from timeloom.tasks.tagging import TaggedFile, Tagger, TaggerOptions, TaggingData, TaggingScores, train_tagger
from timeloom.tasks.tagging.data import prepare
from timeloom.tasks.tagging.words import WRITTEN, how_written
from timeloom.train import TrainingOptions

SMALL = TaggerOptions(hidden_size=12, embedding_size=8, **PLAIN)
QUICK = TrainingOptions(epochs=25, batch_size=4, learning_rate=0.02)


def write_jsonl(path: Path, labelled: bool = True) -> Path:
    rows = [
        {"tokens": words.split(), "tags": tags.split()}
        | ({"label": "leave" if "from" in tags else "stay"} if labelled else {})
        for words, tags in TWENTY
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def trained(
    tmp_path: Path, path: Path, options: TaggerOptions = SMALL, training: TrainingOptions = QUICK, **more: object
) -> tuple[Trained[Tagger, TaggingScores], list[str]]:
    watch = Listening()
    file = more.pop("file", TaggedFile())
    assert isinstance(file, TaggedFile)
    data = TaggingData(str(path), valid=str(path), **more)  # type: ignore[arg-type]
    return train_tagger(data, options, training, tmp_path / "m", file=file, watch=watch), watch.notes


def test_labels_are_learned_beside_the_tags_saved_and_scored(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "t.jsonl")
    run, notes = trained(tmp_path, path, replace(SMALL, output="crf"))
    assert any("20 of the 20 sentences" in note and "2 different ones" in note for note in notes)
    assert run.valid.label_accuracy == 100
    assert run.valid.frame_accuracy == 100
    assert "labels: 20 sentences; accuracy: 100.00%" in run.valid.report()
    again = load_as(Tagger, tmp_path / "m")
    found = again.analyse([s.tokens for s in sentences()])
    assert [tagged.label for tagged in found] == ["leave" if "from" in tags else "stay" for _, tags in TWENTY]
    assert all(0.5 < (tagged.label_probability or 0) <= 1 for tagged in found)
    assert "label_accuracy" in run.progress.history[0]


def test_labels_count_as_one_tag_times_their_weight() -> None:
    vocabulary = {"words": ["<pad>", UNKNOWN], "tags": ["O"], "characters": ["<pad>", UNKNOWN], "labels": ["a", "b"]}
    for weight in (0.0, 2.0):
        torch.manual_seed(0)
        tagger = Tagger(replace(SMALL, label_weight=weight), vocabulary).eval()
        batch = tagger.encode([Sentence(("x", "y", "z"), ("O", "O", "O"), "b"), Sentence(("x",), ("O",), "never seen")])
        labels = tagger.scores(batch).labels
        assert labels is not None
        chance = labels[0].softmax(-1)[1]
        torch.testing.assert_close(tagger.loss(batch), -weight * chance.log() / 4)  # one tag costs nothing


def test_without_labels_there_are_none(tmp_path: Path) -> None:
    labelled = write_jsonl(tmp_path / "t.jsonl")
    once = replace(QUICK, epochs=1)
    run, notes = trained(tmp_path, labelled, replace(SMALL, sentence_labels=False), once)
    assert run.model.labels == ()
    assert ["updates in all" in note for note in notes] == [True]  # and not a word of labels
    assert run.model.analyse([["Oslo"]])[0].label is None
    assert run.valid.labelled == 0
    assert "label_accuracy" not in run.valid.as_dict()


def test_how_words_are_written() -> None:
    words = {"12th": "digits", "-": "sign", "rome": "lower", "Rome": "Capital", "ROME": "CAPITALS", "McCoy": "mIxed"}
    assert {word: WRITTEN[how_written(word)] for word in words} == words
    assert WRITTEN[how_written("A")] == "Capital"
    assert WRITTEN[how_written("日本")] == "lower"


def test_case_is_seen_where_words_are_not() -> None:
    vocabulary = {"words": ["<pad>", UNKNOWN], "tags": ["O", "B-x"], "characters": ["<pad>", UNKNOWN]}
    for seen in (False, True):
        torch.manual_seed(0)
        tagger = Tagger(replace(SMALL, capitalisation=seen), vocabulary).eval()
        one, other = tagger(tagger.encode([["Rome"]])), tagger(tagger.encode([["rome"]]))
        assert torch.equal(one, other) != seen


def with_places(rows: list[tuple[str, str]], path: Path) -> Path:
    """A third column that says all: the tags can be learned from it alone."""
    blocks = (
        "\n".join(f"{w}\t{t[-1]}\t{t}" for w, t in zip(words.split(), tags.split(), strict=True))
        for words, tags in rows
    )
    path.write_text("\n\n".join(blocks) + "\n")
    return path


def test_other_columns_are_features(tmp_path: Path) -> None:
    path = with_places(TWENTY, tmp_path / "t.conll")
    file = TaggedFile(feature_columns=[1])
    run, _ = trained(tmp_path, path, replace(SMALL, embedding_size=1), file=file)
    assert run.valid.chunks.overall.f1 == 100
    again = load_as(Tagger, tmp_path / "m")
    new = Sentence(("Paris", "Paris"), features=(("m", "O"),))
    assert [tag[-1] for tag in again.tag([new])[0]] == ["m", "O"]
    assert again.tag([Sentence(("Paris",), features=(("never",),))])[0]
    with pytest.raises(UsageError, match=r"wants 1 feature\(s\) .* the sentence 'Paris' has 0"):
        again.tag([["Paris"]])


def test_features_that_are_not_there(tmp_path: Path) -> None:
    path = write_conll(tmp_path / "t.conll")
    with pytest.raises(DataError, match=r"t.conll:1: 2 columns, wanted .* a feature in column 2"):
        TaggedFile(feature_columns=[2]).read(path)
    with pytest.raises(UsageError, match=r"feature_columns are \[-2\], wanted columns counted from 0"):
        TaggedFile(feature_columns=[-2])
    vocabulary = {"words": ["<pad>", UNKNOWN], "tags": ["O"], "characters": ["<pad>", UNKNOWN]}
    with pytest.raises(UsageError, match=r"wants 0 feature\(s\) .* the sentence 'Paris' has 1"):
        Tagger(SMALL, vocabulary).tag([Sentence(("Paris",), features=(("N",),))])
    with pytest.raises(
        DataError, match=r"t.conll:1: 2 columns, the tags in column -1, which is among the feature columns"
    ):
        TaggedFile(feature_columns=[1]).read(path)
    with pytest.raises(DataError, match="features of tokens were wanted, and only CoNLL"):
        TaggedFile(feature_columns=[1]).read(write_jsonl(tmp_path / "t.jsonl"))


def test_the_word_itself_is_no_feature_of_it(tmp_path: Path) -> None:
    path = with_places(TWENTY, tmp_path / "t.conll")
    with pytest.raises(DataError, match=r"the tokens in column 0, which is among the feature columns \[0\]"):
        TaggedFile(feature_columns=[0]).read(path)


def write_vectors(path: Path, words: list[str], width: int = 8) -> Path:
    rows = (f"{word} " + " ".join(f"{n}.{k}" for k in range(width)) for n, word in enumerate(words, start=1))
    path.write_text("\n".join(rows) + "\n")
    return path


def test_vectors_begin_the_embedding_and_are_counted(tmp_path: Path) -> None:
    corpus = write_conll(tmp_path / "t.conll")
    vectors = write_vectors(tmp_path / "v.txt", ["Oslo", "rome", "Mars", "Pluto", "to"])
    frozen = replace(QUICK, epochs=1, learning_rate=1e-12)
    run, notes = trained(tmp_path, corpus, training=frozen, vectors=str(vectors), vectors_kept=3)
    words, weight = run.model.words, run.model.word_vectors.embedding.weight
    rows = {word: weight[words.ids[word]][0].item() for word in ("Oslo", "Rome", "Mars", "to")}
    assert rows == pytest.approx({"Oslo": 1.0, "Rome": 2.0, "Mars": 3.0, "to": 5.0})
    assert "Pluto" not in words
    assert "rome" in words  # one of the first three
    (note,) = [note for note in notes if "v.txt" in note]
    assert "3 of the 20 words of the training data have a vector, 1 of them in lower case only; 17 have none" in note
    assert "2 more words of the file are known too" in note
    assert load_as(Tagger, tmp_path / "m").tag([["Mars"]])[0]


def test_rare_words_with_a_vector_are_known_and_counted(tmp_path: Path) -> None:
    corpus = write_conll(tmp_path / "t.conll")
    vectors = write_vectors(tmp_path / "v.txt", ["aunt", "Friday", "Pluto"])
    run, notes = trained(
        tmp_path, corpus, training=replace(QUICK, epochs=1), vectors=str(vectors), vectors_kept=0, min_count=3
    )
    words, counts = run.model.words, run.model.word_vectors.counts
    assert counts is not None
    assert "aunt" in words  # seen twice
    assert "thanks" not in words  # seen once
    assert "Pluto" not in words
    assert {word: int(counts[words.ids[word]]) for word in ("aunt", "Friday", "Oslo")} == {
        word: sum(words_.split().count(word) for words_, _ in TWENTY) for word in ("aunt", "Friday", "Oslo")
    }
    assert any("2 of the 20 words of the training data have a vector; 18 have none" in note for note in notes)


def test_a_training_goes_on_with_the_vectors_it_began_with(tmp_path: Path) -> None:
    corpus, vectors = write_conll(tmp_path / "t.conll"), write_vectors(tmp_path / "v.txt", ["Oslo", "Rome"])
    data = TaggingData(str(corpus), valid=str(corpus), vectors=str(vectors))

    def run_of() -> str:
        return prepare(data, TaggedFile(), SMALL, Listening()).fingerprint

    before = run_of()
    assert run_of() == before
    vectors.write_text(vectors.read_text().replace("1.0", "1.5"))
    assert run_of() != before


def test_vectors_that_do_not_fit(tmp_path: Path) -> None:
    corpus = write_conll(tmp_path / "t.conll")
    narrow = write_vectors(tmp_path / "v.txt", ["Oslo"], width=4)
    with pytest.raises(DataError, match=r"v.txt:1: a vector of 4 numbers, wanted 8"):
        trained(tmp_path, corpus, vectors=str(narrow))
    foreign = write_vectors(tmp_path / "w.txt", ["Kiruna"])
    with pytest.raises(DataError, match="a vector for none of the 20 words"):
        trained(tmp_path, corpus, vectors=str(foreign))
    with pytest.raises(UsageError, match="vectors_kept is -1"):
        TaggingData("x", vectors_kept=-1)
