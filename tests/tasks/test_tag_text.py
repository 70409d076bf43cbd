"""Raw text in, tags out; and tags that are no chunks."""

from __future__ import annotations

import io
import json
import os
import pty
import select
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.corpora import PLAIN, Listening
from timeloom.cli.main import main
from timeloom.core import DataError, UsageError
from timeloom.data import Splitting
from timeloom.tasks import load_as
from timeloom.tasks.folder import read_config, read_model, write_model
from timeloom.tasks.tagging import (
    TaggedFile,
    Tagger,
    TaggerOptions,
    TaggingData,
    evaluate_tagger,
    train_tagger,
)
from timeloom.train import TrainingOptions

SMALL = TaggerOptions(hidden_size=16, embedding_size=16, **PLAIN)
QUICK = TrainingOptions(epochs=40, batch_size=4, learning_rate=0.02)
NAMES = "Ada flew to Paris .\nO O O B-x O".replace("O O O", "B-p O O"), "She met Bo , of Rome .\nO O B-p O O B-x O"
SPEECH = ["The dog barks", "A cat sleeps", "The cat barks", "A dog sleeps"]


def train(folder: Path, blocks: list[str], options: TaggerOptions = SMALL, name: str = "m", **file: object) -> Tagger:
    path = folder / f"{name}.conll"
    path.write_text("\n".join(blocks), encoding="utf-8")
    data = TaggingData(str(path), valid=str(path))
    return train_tagger(data, options, QUICK, folder / name, file=TaggedFile(**file)).model  # type: ignore[arg-type]


def block(words: str, tags: str) -> str:
    return "".join(f"{word}\t{tag}\n" for word, tag in zip(words.split(), tags.split(), strict=True))


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("names")
    train(folder, [block(*sentence.split("\n")) for sentence in NAMES])
    return folder / "m"


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("speech")
    train(folder, [block(words, "DT NN VBZ") for words in SPEECH], replace(SMALL, output="crf", shared_tags=True))
    return folder / "m"


TEXT = "Ada flew to Paris. She met Bo, of Rome."


def test_text_is_split_as_the_training_data_were(names: Path) -> None:
    assert read_config(names)["splitting"]["punctuation"] is True
    first, second = load_as(Tagger, names).tag_text(TEXT)
    assert first.tokens == ["Ada", "flew", "to", "Paris", "."]
    assert first.tags == ["B-p", "O", "O", "B-x", "O"]
    assert [tuple(chunk) for chunk in second.chunks] == [("p", "Bo", 27, 29), ("x", "Rome", 34, 38)]
    assert [TEXT[start:end] for start, end in second.offsets] == second.tokens
    (whole,) = load_as(Tagger, names).tag_text(TEXT, "never")
    assert whole.tokens == TEXT.split()
    assert load_as(Tagger, names).tag_text("") == []
    with pytest.raises(UsageError, match="tokenize is 'now', wanted auto, always or never"):
        load_as(Tagger, names).tag_text(TEXT, "now")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"tag_text\(text\) splits a text"):
        load_as(Tagger, names).tag([TEXT])


def test_text_of_a_corpus_whose_tokens_have_their_punctuation(tmp_path: Path) -> None:
    tagger = train(tmp_path, [block("Ada flew to Paris.", "B-p O O B-x"), block("so, she left.", "O O O")])
    assert [one.tokens for one in tagger.tag_text(TEXT)] == [TEXT.split()]
    assert [one.tokens[-1] for one in tagger.tag_text("So Bo met Eve. She met Bo.", "always")] == [".", "."]


def test_predict_splits_text_and_says_where_everything_stands(
    names: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "t.txt").write_text(f"\n{TEXT}\n")
    (tmp_path / "t.jsonl").write_text(json.dumps({"text": TEXT}))
    for name, line in (("t.txt", 2), ("t.jsonl", 1)):
        assert main(["predict", str(names), str(tmp_path / name), "--output=json"]) == 0
        out, err = capsys.readouterr()
        assert (
            err
            == "note: raw text is split into sentences, words and punctuation (--tokenize never splits it at "
            + ("blanks alone)\n")
        )
        first, second = map(json.loads, out.splitlines())
        assert (first["text"], first["start"], first["line"]) == ("Ada flew to Paris.", 0, line)
        assert (second["text"], second["start"], second["end"]) == ("She met Bo, of Rome.", 19, 39)
        assert second["chunks"][1] == {"type": "x", "text": "Rome", "start": 34, "end": 38, "tokens": [5, 6]}
        assert [TEXT[start:end] for start, end in second["offsets"]] == second["tokens"]
    assert main(["predict", str(names), str(tmp_path / "t.txt"), "--tokenize=never"]) == 0
    out, err = capsys.readouterr()
    assert "Paris.\t" in out
    assert err == ""


def test_a_model_that_does_not_know_how_it_was_split(
    names: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    config, weights = read_model(names)
    old = {name: value for name, value in config.items() if name not in ("splitting", "plain", "weights_sha256")}
    write_model(tmp_path / "old", old, weights)
    (tmp_path / "t.txt").write_text(TEXT)
    assert main(["predict", str(tmp_path / "old"), str(tmp_path / "t.txt")]) == 0
    out, err = capsys.readouterr()
    assert "Paris.\t" in out
    assert "does not say how its training data were split" in err
    assert main(["predict", str(tmp_path / "old"), str(tmp_path / "t.txt"), "--tokenize=always"]) == 0
    assert "Paris\tB-x\n.\tO\n\nShe" in capsys.readouterr().out


def test_at_a_terminal_each_line_is_answered_at_once(names: Path) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "timeloom.cli.main", "predict", str(names)]
    process = subprocess.Popen(command, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    try:
        for line, answer in (("Ada flew to Rome", b"Rome\t"), ("She met Bo", b"Bo\t")):
            os.write(ours, line.encode() + b"\n")
            got, end = b"", time.monotonic() + 60
            while answer not in got and time.monotonic() < end:
                if select.select([process.stdout], [], [], 1)[0]:
                    got += os.read(process.stdout.fileno(), 4096)
            assert answer in got
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        os.close(ours)
        os.close(theirs)


def test_plain_tags_are_learned_and_scored_by_accuracy(speech: Path, tmp_path: Path) -> None:
    tagger = load_as(Tagger, speech)
    assert tagger.plain
    assert tagger.tag([["The", "dog", "sleeps"]]) == [["DT", "NN", "VBZ"]]
    assert tagger.tag_text("The dog sleeps")[0].chunks == []
    path = tmp_path / "t.conll"
    path.write_text(block("The dog sings", "DT NN VBZ") + "\n" + block("The", "VBZ"))
    scores, _ = evaluate_tagger(tagger, path)
    found = scores.as_dict()
    right = tagger.tag([["The", "dog", "sings"]])[0][2] == "VBZ"
    assert scores.plain
    assert (found["tokens"], found["unknown_words"], found["known_accuracy"]) == (4, 1, 66.67)
    assert found["unknown_accuracy"] == 100.0 * right
    tags = found["tags"]
    assert isinstance(tags, dict)
    assert tags["NN"] == {"precision": 100.0, "recall": 100.0, "f1": 100.0, "gold": 1, "found": 1, "correct": 1}
    head = scores.report().splitlines()[:2]
    assert head[0] == f"processed 4 tokens; correct: {2 + right}."
    assert "known words:  66.67% of 3; unknown words:" in head[1]
    path.write_text(block("The dog", "B-x O") + "\n" + block("a", "O"))
    assert evaluate_tagger(tagger, path)[0].unknown_tags == {"B-x": 1, "O": 2}


def test_a_tagger_of_chunks_is_not_scored_on_plain_tags(names: Path, tmp_path: Path) -> None:
    path = tmp_path / "t.conll"
    path.write_text(block("The dog", "DT NN"))
    with pytest.raises(DataError, match=r"t.conll:1: token 1, 'The': 'DT' is not a tag"):
        evaluate_tagger(load_as(Tagger, names), path)


@pytest.mark.parametrize("output", ["softmax", "perceptron", "svm", "hmm"])
def test_plain_tags_under_every_output(tmp_path: Path, output) -> None:
    blocks = [block(words, "DT NN VBZ") for words in SPEECH]
    tagger = train(tmp_path, blocks, replace(SMALL, output=output))
    assert tagger.plain
    assert tagger.tag([["A", "dog", "barks"]]) == [["DT", "NN", "VBZ"]]


def test_plain_on_the_command_line(
    speech: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = tmp_path / "four.conll"
    corpus.write_text("\n".join("The DT B-NP O\ndog NN I-NP O\nbarks VBZ B-VP O\n" for _ in range(4)))
    words = ["train", "tag", f"--train={corpus}", "--tag_column=1", f"--out={tmp_path / 'm'}", "--epochs=1", "--quiet"]
    assert main([*words, "--hidden_size=8", "--embedding_size=8"]) == 0
    out, err = capsys.readouterr()
    assert ": accuracy " in out
    assert "its tags are not chunks but one for each token, 3 different ones: DT (4), NN (4), VBZ (4)" in err

    class Stdin:
        buffer = io.BytesIO(b"The dog\n")

    monkeypatch.setattr(sys, "stdin", Stdin())
    assert main(["predict", str(speech), "--output=json"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert row["tags"] == ["DT", "NN"]
    assert "chunks" not in row


def test_validation_must_have_tags_of_the_same_kind(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("\n".join([block("The dog", "B-x O")] * 3))
    (tmp_path / "v").write_text("\n".join([block("The dog", "DT NN")] * 3))
    with pytest.raises(DataError, match="v:1: token 1, 'The': 'DT' is not a tag"):
        train_tagger(TaggingData(str(tmp_path / "t"), str(tmp_path / "v")), SMALL, QUICK, tmp_path / "m")


def test_odd_tags_are_told_with_their_lines(tmp_path: Path) -> None:
    corpus = [block("New York", "I-x I-x")] * 3 + [block("so Rome", "O B-x")] * 2
    (tmp_path / "t").write_text("\n".join(corpus))
    watch = Listening()
    data = TaggingData(str(tmp_path / "t"), str(tmp_path / "t"))
    train_tagger(data, SMALL, replace(QUICK, epochs=1), tmp_path / "m", watch=watch)
    said = "2 tags could not stand where they do in iob1 and were repaired (lines 11, 14), the first: "
    assert any(note.startswith(f"{tmp_path / 't'}: {said}") for note in watch.notes)
    assert any(note == f"{tmp_path / 't'}: its tags are read as iob1" for note in watch.notes)


def test_the_constructor_takes_what_the_config_has(names: Path) -> None:
    tagger = load_as(Tagger, names)
    config = tagger.config()
    again = Tagger(config["model"], config["vocabulary"], splitting=config["splitting"], plain=config["plain"])
    assert again.splitting == tagger.splitting == Splitting()
