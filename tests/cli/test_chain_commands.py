"""What a tagger over a chain can be asked on the command line: confidences, paths, labels, pictures."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from tests.corpora import TWENTY
from timeloom.cli.main import main

SMALL = ["--hidden_size=12", "--embedding_size=12", "--epochs=12", "--batch_size=4", "--learning_rate=0.02", "--quiet"]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """CoNLL columns: word, its length, tag."""
    path = tmp_path_factory.mktemp("corpus") / "t.conll"
    rows = (zip(words.split(), tags.split(), strict=True) for words, tags in TWENTY)
    path.write_text("\n\n".join("\n".join(f"{w}\t{len(w)}\t{t}" for w, t in row) for row in rows) + "\n")
    return path


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("corpus") / "t.jsonl"
    rows = [{"tokens": w.split(), "tags": t.split(), "label": "go" if "to" in t else "stay"} for w, t in TWENTY]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def trained(corpus: Path, *more: str) -> Path:
    out = corpus.parent / "m"
    words = ["train", "tag", f"--train={corpus}", f"--valid={corpus}", f"--out={out}", *SMALL, "--output=crf", *more]
    assert main(words) == 0
    return out


@pytest.fixture(scope="module")
def model(labelled: Path) -> Path:
    return trained(labelled)


@pytest.fixture(scope="module")
def with_features(corpus: Path) -> Path:
    return trained(corpus, "--feature_columns=[1]", "--capitalisation", "--characters=cnn")


def test_confidences_paths_and_labels_as_columns(model: Path, capsys: pytest.CaptureFixture[str], tmp_path) -> None:
    (tmp_path / "s.txt").write_text("fly from Oslo to Rome\n")
    assert main(["predict", str(model), str(tmp_path / "s.txt"), "--confidences", "--paths=2"]) == 0
    label, paths, *rows = capsys.readouterr().out.strip().splitlines()
    assert label.startswith("# label = go ")
    assert 0.5 < float(label.split()[-1]) <= 1
    chances = [float(chance) for chance in paths.removeprefix("# paths = ").split()]
    assert 1 >= chances[0] > chances[1]
    columns = [row.split("\t") for row in rows]
    assert [row[0] for row in columns] == ["fly", "from", "Oslo", "to", "Rome"]
    assert all(row[1] == row[3] and 0 < float(row[2]) <= 1 for row in columns)
    assert [row[3] for row in columns] != [row[4] for row in columns]


def test_confidences_paths_and_labels_as_json(
    model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stdin:
        buffer = io.BytesIO(b"leave Rome\nthanks\n")

    monkeypatch.setattr(sys, "stdin", Stdin)
    assert main(["predict", str(model), "--output=json", "--confidences", "--paths=3"]) == 0
    one, two = (json.loads(line) for line in capsys.readouterr().out.strip().splitlines())
    assert one["paths"][0]["tags"] == one["tags"]
    assert len(one["confidences"]) == 2
    assert sum(path["probability"] for path in two["paths"]) <= 1
    assert two["label"] in ("go", "stay")


def test_features_are_remembered_and_missed(
    with_features: Path, corpus: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["evaluate", str(with_features), str(corpus), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["tokens"] == 88
    assert main(["predict", str(with_features), str(corpus)]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("fly\tO\n")
    assert said.err == ""
    (tmp_path / "other.conll").write_text("fly\tO\nto\tO\nRome\tB-to\n")
    assert main(["predict", str(with_features), str(tmp_path / "other.conll")]) == 0
    assert "in column 1, 3 of 3 features were never seen in training (O, B-to)" in capsys.readouterr().err
    (tmp_path / "s.txt").write_text("fly from Oslo\n")
    assert main(["predict", str(with_features), str(tmp_path / "s.txt")]) == 2
    assert "s.txt: features of tokens were wanted" in capsys.readouterr().err


def test_pictures(
    model: Path, with_features: Path, corpus: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    png = tmp_path / "l.png"
    assert main(["look", "lattice", str(model), "fly to Oslo", f"--out={png}"]) == 0
    assert capsys.readouterr().out == f"{png}\n"
    assert png.read_bytes().startswith(b"\x89PNG")
    png.unlink()
    words = ["look", "lattice", str(with_features), f"--file={corpus}", f"--out={png}"]
    assert main([*words, "--number=3"]) == 0
    assert png.exists()
    assert main([*words, "--number=21"]) == 2
    assert "t.conll: has 20 sentences, so there is no number 21" in capsys.readouterr().err
    assert main(["look", "transitions", str(model), f"--out={tmp_path / 't.png'}"]) == 0
    assert (tmp_path / "t.png").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["look", "stars"], "there is no picture 'stars'; there are: lattice, transitions"),
        (["look", "lattice", "MODEL"], "name a sentence, or a --file"),
        (["look", "lattice", "MODEL", " "], "the sentence is empty"),
        (["look", "lattice", "MODEL", "to Rome", "--rows=0"], "rows is 0"),
        (["look", "transitions", "MODEL", "--rows=0"], "rows is 0"),
        (["look", "transitions", "nowhere"], "there is no model at nowhere"),
        (["predict", "MODEL", "--paths=-1"], "paths is -1"),
    ],
)
def test_wrong_words(model: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(model) if word == "MODEL" else word for word in words]) == 2
    assert said in capsys.readouterr().err


def test_softmax_has_no_transitions(labelled: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = ["train", "tag", f"--train={labelled}", f"--out={tmp_path / 'm'}", *SMALL, "--epochs=1", "--output=softmax"]
    assert main(words) == 0
    assert main(["look", "transitions", str(tmp_path / "m")]) == 2
    assert "has the output softmax, for which tags do not depend on each other" in capsys.readouterr().err


def test_look_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["look", "--help"]) == 0
    assert "lattice" in capsys.readouterr().out
    assert main(["look"]) == 2
