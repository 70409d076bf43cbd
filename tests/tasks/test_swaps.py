"""Chunks that change places: what may come of a sentence, and how often."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.corpora import TWENTY, sentences, write_conll
from timeloom.core import UsageError
from timeloom.data import Sentence, chunks
from timeloom.tasks.tagging import TaggerOptions, TaggingData, train_tagger
from timeloom.tasks.tagging.swaps import ChunkSwaps
from timeloom.train import Interrupted, TrainingOptions, Watch


def test_every_filler_of_the_type_may_come_and_no_other() -> None:
    torch.manual_seed(0)
    swaps = ChunkSwaps(sentences(), 1.0)
    sentence = Sentence(
        ("fly", "from", "Oslo", "to", "New", "York", "now"),
        ("O", "O", "B-from", "O", "B-to", "I-to", "O"),
        "x",
        7,
    )
    came = [swaps(sentence) for _ in range(300)]
    for swapped in came:
        kinds = [(chunk.type, swapped.tokens[chunk.start : chunk.end]) for chunk in chunks(swapped.tags or ())]
        assert [kind for kind, _ in kinds] == ["from", "to"]
        assert all(words in {("Oslo",), ("Rome",), ("New", "York")} for _, words in kinds)
        outside = [t for t, tag in zip(swapped.tokens, swapped.tags or (), strict=True) if tag == "O"]
        assert outside == ["fly", "from", "to", "now"]
        assert (swapped.label, swapped.line) == ("x", 7)
    assert len({swapped.tokens for swapped in came}) == 9


def test_the_share_is_kept_and_none_leaves_all_as_it_is() -> None:
    torch.manual_seed(0)
    (one,) = sentences([("Oslo", "B-to")])
    others = sentences([(f"word{n}", "B-to") for n in range(99)])
    swaps = ChunkSwaps([one, *others], 0.3)
    swapped = sum(swaps(one).tokens != one.tokens for _ in range(4000)) / 4000
    assert swapped == pytest.approx(0.3 * 0.99, abs=0.03)
    assert [ChunkSwaps(sentences(), 0.0)(sentence) for sentence in sentences()] == sentences()


def test_features_go_with_their_words() -> None:
    one = Sentence(("to", "Rome"), ("O", "B-to"), features=(("P", "N"),))
    two = Sentence(("to", "New", "York"), ("O", "B-to", "I-to"), features=(("P", "A", "M"),))
    torch.manual_seed(0)
    came = {(swapped.tokens, swapped.features) for swapped in (ChunkSwaps([one, two], 1.0)(one) for _ in range(50))}
    assert came == {(one.tokens, one.features), (two.tokens, two.features)}


def test_a_training_with_swaps_is_resumed_to_the_byte(tmp_path: Path) -> None:
    path = write_conll(tmp_path / "t.conll", TWENTY)
    data = TaggingData(str(path), valid=str(path))
    model = TaggerOptions(hidden_size=8, embedding_size=8, swap=0.5)
    training = TrainingOptions(epochs=2, batch_size=4, checkpoint_seconds=0.0)

    class Stopped(Watch):
        steps = 0

        def stepped(self, epoch: int, loss: float) -> None:
            self.steps += 1
            if self.steps == 7:
                raise KeyboardInterrupt

    train_tagger(data, model, training, tmp_path / "whole")
    with pytest.raises((KeyboardInterrupt, Interrupted)):
        train_tagger(data, model, training, tmp_path / "broken", watch=Stopped())
    train_tagger(data, model, training, tmp_path / "broken", resume=True)
    whole, broken = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "broken"))
    assert whole == broken
    train_tagger(data, replace(model, swap=0.0), training, tmp_path / "plain")
    assert whole != (tmp_path / "plain" / "model.safetensors").read_bytes()


def test_a_share_is_a_share() -> None:
    with pytest.raises(UsageError, match=r"swap is 1.5, wanted 0 ≤ swap ≤ 1"):
        TaggerOptions(swap=1.5)
