"""`timeloom look` and what it draws of models of every task; `generate`, `predict` and `evaluate` of these."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib import image
from matplotlib.figure import Figure

from tests.corpora import write_conll
from timeloom.cli import look_gradients, look_training
from timeloom.cli.main import main
from timeloom.core import DataError, UsageError
from timeloom.layers import gradient_flow
from timeloom.tasks import Tagger, load, load_as
from timeloom.tasks.folder import read_config
from timeloom.tasks.inside import layers_of, loss_over_file
from timeloom.tasks.load import untrained

TEXT = "the cat sat on the mat\n" * 20
REVIEWS = "good a fine film\nbad a dull film\ngood fine\nbad dull\n" * 3
QUICK = ["--quiet", "--epochs=2", "--hidden_size=8", "--embedding_size=8", "--batch_size=4"]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    (folder / "text.txt").write_text(TEXT)
    (folder / "reviews.txt").write_text(REVIEWS)
    assert main(["train", "language", f"--train={folder / 'text.txt'}", f"--out={folder / 'language'}", *QUICK]) == 0
    assert main(["train", "classify", f"--train={folder / 'reviews.txt'}", f"--out={folder / 'classify'}", *QUICK]) == 0
    corpus = write_conll(folder / "tagged.conll")
    assert main(["train", "tag", f"--train={corpus}", f"--out={folder / 'tag'}", *QUICK]) == 0
    return folder


def drawn(path: Path) -> None:
    """The picture is there, and has more in it than axes, which have no colour."""
    colours = np.asarray(image.imread(path))[..., :3]
    assert (np.ptp(colours, axis=-1) > 0.3).sum() > 50


def test_the_surface_of_one_unit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["look", "surface", "--points=9", f"--out={tmp_path / 's.png'}"]) == 0
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith("gradient descent: loss 0.07541 → 0.49")
    assert said[1].startswith("clipped at 0.2: loss 0.07541 → 0.012")
    drawn(tmp_path / "s.png")


@pytest.mark.parametrize("how", [["--directions=random"], ["--weights=['bias[0]', 'bias[1]']"], []])
def test_the_surface_of_a_model(models: Path, tmp_path: Path, how: list[str]) -> None:
    given = [f"--model={models / 'language'}", f"--file={models / 'text.txt'}", "--points=3", "--steps=2", *how]
    assert main(["look", "surface", *given, f"--out={tmp_path / 's.png'}"]) == 0
    drawn(tmp_path / "s.png")


def test_the_surface_of_a_tagger_by_the_names_that_the_help_gives(models: Path) -> None:
    weights = "['members.0.output.bias[0]', 'members.0.encoder.cells.0.recurrent.weight[0,0]']"
    given = [f"--model={models / 'tag'}", f"--file={models / 'tagged.conll'}", "--points=3", f"--weights={weights}"]
    figure, _ = look_training.surface([*given, "--steps=2"])
    figure.draw_without_rendering()
    names = [axis.label for axes in figure.axes[:2] for axis in (axes.xaxis, axes.yaxis)]
    assert {name.get_text() for name in names} == {
        "change of members.0.output.bias[0]",
        "change of members.0.encoder.cells.0.recurrent.weight[0,0]",
    }
    for name in names:
        extent = name.get_window_extent()
        assert figure.bbox.contains(*extent.min), name
        assert figure.bbox.contains(*extent.max), name


def test_gradients(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--cells=elman,lstm", "--steps=3", "--length=10", "--hidden_size=4", f"--out={tmp_path / 'g.png'}"]
    assert main(["look", "gradients", *words]) == 0
    assert "elman: squared error" in capsys.readouterr().err
    drawn(tmp_path / "g.png")


@pytest.mark.parametrize(
    ("task", "file"), [("language", "text.txt"), ("classify", "reviews.txt"), ("tag", "tagged.conll")]
)
def test_gradients_of_a_model(
    models: Path, tmp_path: Path, task: str, file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [f"--models={models / task}", f"--file={models / file}", f"--out={tmp_path / 'g.png'}"]
    assert main(["look", "gradients", *words]) == 0
    said = re.findall(r"loss (.*) with fresh weights, (.*) trained", capsys.readouterr().err)[0]
    config = read_config(models / task)
    for loss, model in zip(said, (untrained(models / task), load(models / task)), strict=True):
        wanted = loss_over_file(model, config, models / file, 100, longest=True)().item()
        assert float(loss) == pytest.approx(wanted, rel=1e-3)
    assert said[0] != said[1]
    drawn(tmp_path / "g.png")


def test_of_examples_the_longest_and_those_with_known_labels_are_looked_at(models: Path, tmp_path: Path) -> None:
    model, config = load(models / "classify"), read_config(models / "classify")
    [flow, _] = gradient_flow(layers_of(model), loss_over_file(model, config, models / "reviews.txt", 2, longest=True))
    assert len(flow["h"]) == 3  # of "a fine film"; the longest comes first
    (tmp_path / "more.txt").write_text("good fine\nbad a very dull film\nodd a film of some other kind\n")
    [flow, _] = gradient_flow(layers_of(model), loss_over_file(model, config, tmp_path / "more.txt", 9, longest=True))
    assert len(flow["h"]) == 4
    (tmp_path / "strange.txt").write_text("odd a film\n")
    with pytest.raises(DataError, match="has no example with labels that the model knows"):
        loss_over_file(model, config, tmp_path / "strange.txt", 9)


def test_of_several_models_the_one_that_a_file_does_not_fit_is_named(models: Path, tmp_path: Path) -> None:
    paths = f"{models / 'language'},{models / 'classify'}"
    with pytest.raises(UsageError, match=rf"the loss of {models / 'classify'}: .*text\.txt: has no example"):
        look_gradients.gradients([f"--models={paths}", f"--file={models / 'text.txt'}"])


def test_models_of_one_name_are_told_apart(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "classify").symlink_to(models / "classify")
    flows: dict[str, Any] = {}
    monkeypatch.setattr(look_gradients, "gradient_flow_figure", lambda found, *_: flows.update(found) or Figure())
    paths = f"{models / 'classify'},{tmp_path / 'classify'}"
    look_gradients.gradients([f"--models={paths}", f"--file={models / 'reviews.txt'}"])
    assert len(flows) == 8  # of two models, two directions, h and c


def test_a_model_begins_anew_with_what_was_counted_and_other_weights(models: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "s.npz", x=np.full((4, 3, 2), 7, np.float32), y=np.array(["a", "b", "a", "b"]))
    assert main(["train", "classify", f"--train={tmp_path / 's.npz'}", f"--out={tmp_path / 'm'}", *QUICK]) == 0
    trained, fresh = load(tmp_path / "m").state_dict(), untrained(tmp_path / "m").state_dict()
    assert (fresh["mean"] == 7).all()
    assert not torch.equal(trained["output.weight"], fresh["output.weight"])


def test_of_a_tagger_the_first_member_is_drawn_as_if_it_were_alone(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flows: dict[str, Any] = {}
    monkeypatch.setattr(look_gradients, "gradient_flow_figure", lambda found, *_: flows.update(found) or Figure())
    look_gradients.gradients([f"--models={models / 'tag'}", f"--file={models / 'tagged.conll'}"])
    pair = load_as(Tagger, models / "tag")
    assert len(pair.members) == 2
    alone = Tagger(**{**pair.config(), "model": replace(pair.options, members=1)})
    alone.load_state_dict({name: value for name, value in pair.state_dict().items() if "members.1." not in name})
    loss = loss_over_file(alone, read_config(models / "tag"), models / "tagged.conll", 100, longest=True)
    for way, flow in zip(("forwards", "backwards"), gradient_flow(alone.encoder, loss), strict=True):
        np.testing.assert_allclose(flows[f"tag, first member, {way}"][1], flow["h"], rtol=1e-4)
        np.testing.assert_allclose(flows[f"tag, first member, {way}, c"][1], flow["c"], rtol=1e-4)
    figure, _ = look_training.gates([str(models / "tag"), "fly to Oslo"])
    titles = [figure.get_suptitle(), *(axes.get_title() for axes in figure.axes)]
    assert any("tag: the first member's first layer, LSTMCell, reading forwards" in title for title in titles), titles


@pytest.mark.parametrize("task", ["language", "classify"])
def test_gates(models: Path, tmp_path: Path, task: str, capsys: pytest.CaptureFixture[str]) -> None:
    backward = ["--backward"] if task == "classify" else []
    assert main(["look", "gates", str(models / task), "the cat sat", *backward, f"--out={tmp_path / 'g.png'}"]) == 0
    assert "sigmoid(f): " in capsys.readouterr().err
    drawn(tmp_path / "g.png")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["surface", "--model={language}"], "name a --file"),
        (["surface", "--points=1"], "points is 1, wanted 2 or more"),
        (["gates", "{language}", "the", "--backward"], "reads forwards only"),
        (["gates", "{language}", ""], "the text is empty"),
        (["gradients", "--cells=elmo"], "there is no cell 'elmo'"),
        (["lattice", "{language}", "the"], "is a model for the task 'language', wanted one for 'tag'"),
        (["nothing"], "there is no picture 'nothing'"),
        (["surface", "--out=nowhere/s.png"], "there is no folder nowhere for the picture"),
        (["surface", "--out", "nowhere/s.png"], "there is no folder nowhere for the picture"),
        (["surface", "--clip_norm=-1"], "clip_norm is -1.0, wanted more than 0"),
        (["surface", "--file=x"], "--file and --weights are for a --model"),
        (["gradients", "--clip_norm=-5"], "clip_norm is -5.0, wanted more than 0"),
        (["gradients", "--models={language}"], "name a --file beside the --models"),
        (["gradients", "--file=x"], "--file is for --models, and there are none"),
        (["gradients", "--models={language}", "--file=x", "--steps=9"], "--steps is for the adding problem"),
        (["gradients", "--models={language}", "--file=x", "--count=0"], "count is 0, wanted 1 or more"),
        (["gradients", "--models=,", "--file=x"], "models is empty, wanted names with commas"),
    ],
)
def test_what_cannot_be_drawn_is_said(
    models: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["look", *(word.format(language=models / "language") for word in words)]) == 2
    assert said in capsys.readouterr().err


def test_generate_writes_on_from_the_prompt(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["generate", str(models / "language"), "--prompt=the c", "--length=7", "--seed=1", "--top-k=3"]
    assert main(words) == 0
    first = capsys.readouterr().out
    assert first.startswith("the c")
    assert len(first) == len("the c") + 7 + 1
    assert main(words) == 0
    assert capsys.readouterr().out == first
    assert main(["generate", str(models / "language"), "--prompt=Zoë"]) == 2
    assert "the prompt has the character 'Z'" in capsys.readouterr().err
    assert main(["generate", str(models / "classify")]) == 2
    assert "is a model for the task 'classify', wanted one for 'language'" in capsys.readouterr().err


def test_evaluate_gives_what_the_task_has(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(models / "language"), str(models / "text.txt"), "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)
    assert scores["symbols"] == len(TEXT) - 1
    assert scores["perplexity"] == pytest.approx(np.exp(scores["nats"]))
    assert main(["evaluate", str(models / "classify"), str(models / "reviews.txt")]) == 0
    assert "12 examples; accuracy:" in capsys.readouterr().out


def test_predict_labels_from_standard_input_and_files(
    models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"a fine film\n\n")))
    assert main(["predict", str(models / "classify"), "--explain"]) == 0
    label, explained, empty = capsys.readouterr().out.splitlines()
    assert label.split("\t")[0] in ("good", "bad")
    assert [word.split("(")[0] for word in explained.split()] == ["a", "fine", "film"]
    assert empty.split("\t")[0] in ("good", "bad")  # an empty line has an answer, and nothing to explain
    (tmp_path / "texts.csv").write_text("text\na fine film\n")
    words = ["predict", str(models / "classify"), str(tmp_path / "texts.csv"), "--output=json", "--explain"]
    assert main([*words, f"--picture={tmp_path / 'w.png'}"]) == 0
    line = json.loads(capsys.readouterr().out)
    assert line["words"] == ["a", "fine", "film"]
    assert sum(line["probabilities"].values()) == pytest.approx(1.0, abs=1e-5)
    drawn(tmp_path / "w.png")
    assert main(["predict", str(models / "language"), "x"]) == 2
    assert "timeloom generate MODEL" in capsys.readouterr().err


def test_a_run_of_another_task_is_not_gone_on_with(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for task in ("classify", "tag"):
        assert (
            main(["train", task, f"--train={models / 'reviews.txt'}", f"--out={models / 'language'}", "--resume"]) == 2
        )
        assert "it is a run of `timeloom train language`, not of `timeloom train" in capsys.readouterr().err


def test_words_that_look_like_markup_are_shown_as_they_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "r.txt").write_text(REVIEWS)
    (tmp_path / "t.jsonl").write_text('{"text": "a [/b] [red] :smile: film"}\n')
    words = [f"--train={tmp_path / 'r.txt'}", f"--out={tmp_path / 'm'}", "--no_punctuation", *QUICK]
    assert main(["train", "classify", *words]) == 0
    capsys.readouterr()
    assert main(["predict", str(tmp_path / "m"), str(tmp_path / "t.jsonl"), "--explain"]) == 0
    shown = capsys.readouterr().out
    assert all(f" {word}(" in shown for word in ("[/b]", "[red]", ":smile:", "film"))


def test_the_doctor_speaks_while_a_model_trains_unless_sent_away(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "r.txt").write_text(("good " + "word " * 30 + "\n" + "bad " + "word " * 30 + "\n") * 4)
    words = [f"--train={tmp_path / 'r.txt'}", "--cell=elman", "--pooling=last", "--no_bidirectional", *QUICK]
    assert main(["train", "classify", *words, f"--out={tmp_path / 'a'}"]) == 0
    assert "the gradient vanishes in" in capsys.readouterr().err
    assert main(["train", "classify", *words, f"--out={tmp_path / 'b'}", "--no_doctor"]) == 0
    assert "the gradient vanishes in" not in capsys.readouterr().err


def test_of_several_labels_the_one_that_is_explained_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"text": "sea sand", "label": ["beach"]}, {"text": "goal", "label": ["sport"]}] * 6
    rows += [{"text": "goal sand", "label": ["beach", "sport"]}] * 3
    (tmp_path / "r.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert main(["train", "classify", f"--train={tmp_path / 'r.jsonl'}", f"--out={tmp_path / 'm'}", *QUICK]) == 0
    capsys.readouterr()
    assert main(["predict", str(tmp_path / "m"), str(tmp_path / "r.jsonl"), "--explain"]) == 0
    explained = capsys.readouterr().out.splitlines()[1]
    assert main(["predict", str(tmp_path / "m"), str(tmp_path / "r.jsonl"), "--explain", "--output=json"]) == 0
    first = json.loads(capsys.readouterr().out.splitlines()[0])
    assert first["explained"] == max(first["probabilities"], key=first["probabilities"].get)
    assert explained.startswith(f"  {first['explained']}: sea(")
