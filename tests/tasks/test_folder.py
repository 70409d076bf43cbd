"""Saved models: whole, checked, never unpickled, and in the layout of the hub's mixin."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import timeloom
from tests.corpora import sentences
from timeloom.core import ModelError
from timeloom.tasks.folder import as_json, read_model, write_model
from timeloom.tasks.runs import keep_run, recall_run, remember_run
from timeloom.tasks.tagging import Tagger, TaggerOptions
from timeloom.tasks.tagging.data import collect_vocabulary

SMALL = TaggerOptions(hidden_size=8, embedding_size=8, characters="recurrent")


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Tagger, Path]:
    torch.manual_seed(0)
    tagger = Tagger(SMALL, collect_vocabulary(sentences(), SMALL, 1)).eval()
    write_model(tmp_path / "m", {"task": "tag", **tagger.config()}, tagger.state_dict(), {"note.txt": b"hello"})
    return tagger, tmp_path / "m"


def test_saved_and_loaded_is_the_same(saved: tuple[Tagger, Path]) -> None:
    tagger, path = saved
    loaded = timeloom.load(path)
    batch = tagger.encode(sentences())
    torch.testing.assert_close(loaded(batch), tagger(batch), rtol=0, atol=0)
    assert loaded.config() == tagger.config()
    assert not loaded.training
    assert (path / "note.txt").read_bytes() == b"hello"


def test_same_bytes_every_time(saved: tuple[Tagger, Path], tmp_path: Path) -> None:
    tagger, path = saved
    write_model(tmp_path / "n", {"task": "tag", **tagger.config()}, tagger.state_dict())
    for name in ("config.json", "model.safetensors"):
        assert (path / name).read_bytes() == (tmp_path / "n" / name).read_bytes()


def test_the_hubs_mixin_reads_the_folder(saved: tuple[Tagger, Path], tmp_path: Path) -> None:
    hub = pytest.importorskip("huggingface_hub", reason="the extra timeloom[hub] is not installed")

    class HubTagger(Tagger, hub.PyTorchModelHubMixin):
        pass

    tagger, path = saved
    batch = tagger.encode(sentences())
    pulled = HubTagger.from_pretrained(str(path))
    torch.testing.assert_close(pulled.eval()(batch), tagger(batch), rtol=0, atol=0)
    pulled.save_pretrained(tmp_path / "pushed")
    again = HubTagger.from_pretrained(str(tmp_path / "pushed"))
    torch.testing.assert_close(again.eval()(batch), tagger(batch), rtol=0, atol=0)
    torch.testing.assert_close(timeloom.load(tmp_path / "pushed")(batch), tagger(batch), rtol=0, atol=0)


def test_json_keeps_lists_on_a_line() -> None:
    config = {"a": {"b": [1, 2], "c": {}}, "d": "é"}
    assert as_json(config) == '{\n  "a": {\n    "b": [1, 2],\n    "c": {}\n  },\n  "d": "é"\n}\n'
    assert json.loads(as_json(config)) == config


def broken(path: Path, how: str) -> None:
    config, weights = path / "config.json", path / "model.safetensors"
    match how:
        case "no config":
            config.unlink()
        case "config cut":
            config.write_bytes(config.read_bytes()[:100])
        case "config of others":
            config.write_text('{"model_type": "bert"}')
        case "config is a list":
            config.write_text("[]")
        case "other task":
            config.write_text('{"task": "juggle"}')
        case "no weights":
            weights.unlink()
        case "weights cut":
            weights.write_bytes(weights.read_bytes()[:-3])
        case "weights changed":
            weights.write_bytes(weights.read_bytes()[:-1] + b"\x07")
        case "weights of another model":
            content = json.loads(config.read_text())
            content["model"]["hidden_size"] = 9
            config.write_text(json.dumps(content))
        case "options missing":
            content = json.loads(config.read_text())
            del content["vocabulary"]
            config.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("no config", "is not a model: it has no config.json"),
        ("config cut", "damaged model: config.json is not JSON"),
        ("config of others", "is not a model of Timeloom: its config.json names no task"),
        ("config is a list", "is not a model of Timeloom"),
        ("other task", "a model for the task 'juggle'; this version knows: tag"),
        ("no weights", "damaged model.*cannot read model.safetensors: No such file"),
        ("weights cut", "damaged model.*model.safetensors cannot be read: its header speaks of"),
        ("weights changed", "damaged model: model.safetensors is not the file"),
        ("weights of another model", "damaged model, or one of another version"),
        ("options missing", "damaged model, or one of another version"),
    ],
)
def test_damaged_and_foreign_folders(saved: tuple[Tagger, Path], how: str, said: str) -> None:
    _, path = saved
    broken(path, how)
    with pytest.raises(ModelError, match=said) as caught:
        timeloom.load(path)
    assert str(path) in str(caught.value)


def test_weights_without_a_checksum_are_still_checked(saved: tuple[Tagger, Path]) -> None:
    """As the hub's own save_pretrained writes them."""
    _, path = saved
    content = json.loads((path / "config.json").read_text())
    del content["weights_sha256"]
    (path / "config.json").write_text(json.dumps(content))
    timeloom.load(path)
    (path / "model.safetensors").write_bytes(b"nonsense")
    with pytest.raises(ModelError, match="cannot be read"):
        timeloom.load(path)


def test_no_folder_a_file_and_unfinished_training(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is no model at"):
        timeloom.load(tmp_path / "nothing")
    (tmp_path / "file").touch()
    with pytest.raises(ModelError, match="is a file; a model is a folder"):
        timeloom.load(tmp_path / "file")
    (tmp_path / "m.training").mkdir()
    with pytest.raises(ModelError, match=r"its training in .* has not ended"):
        timeloom.load(tmp_path / "m")


def test_read_model_gives_what_write_model_took(tmp_path: Path) -> None:
    write_model(tmp_path / "m", {"task": "x", "n": 1}, {"w": torch.arange(6).view(2, 3).t()})
    config, weights = read_model(tmp_path / "m")
    assert config["n"] == 1
    torch.testing.assert_close(weights["w"], torch.arange(6).view(2, 3).t())


RECORD = {"task": "tag", "training": {"schedule": "constant"}, "fingerprint": "ab", "threads": 1}


def test_any_flipped_bit_of_a_record_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    keep_run(path, RECORD)
    whole = path.read_bytes()
    assert json.loads(whole).items() >= RECORD.items()
    for place in range(len(whole) * 8):
        damaged = bytearray(whole)
        damaged[place // 8] ^= 1 << place % 8
        path.write_bytes(damaged)
        with pytest.raises(ModelError, match=r"run.json is not the record.*or it is damaged.*\n.*start anew"):
            recall_run(path)


@pytest.mark.parametrize("wrong", [{"task": 3}, {"fingerprint": None}, {"threads": "2"}, {"training": [1]}])
def test_a_record_of_another_form_is_refused(tmp_path: Path, wrong: dict[str, object]) -> None:
    path = tmp_path / "run.json"
    keep_run(path, {**RECORD, **wrong})
    with pytest.raises(ModelError, match=rf"run.json .*its (section )?{next(iter(wrong))} is"):
        recall_run(path)


def test_another_number_of_threads_is_said(tmp_path: Path) -> None:
    notes: list[str] = []
    path = tmp_path / "run.json"
    names = [
        remember_run(path, {**RECORD, "threads": threads}, resume=True, note=notes.append) for threads in (2, 2, 1, 2)
    ]
    assert len(set(names)) == 1
    assert len(notes) == 1
    assert "began with 2 threads and goes on with 1" in notes[0]
