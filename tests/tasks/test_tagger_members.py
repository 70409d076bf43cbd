"""Several members of one tagger, against taggers with one."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import cast

import pytest
import torch
from torch import Tensor

from tests.corpora import PLAIN, sentences
from tests.tolerances import assert_close
from timeloom.core import UsageError
from timeloom.layers import Doctor
from timeloom.tasks import load_as
from timeloom.tasks.folder import write_model
from timeloom.tasks.tagging import Tagger, TaggerOptions
from timeloom.tasks.tagging.data import collect_vocabulary
from timeloom.tasks.tagging.member import Member

SMALL = TaggerOptions(hidden_size=7, embedding_size=6, **{**PLAIN, "members": 2})
LABELLED = [replace(s, label="leave" if "B-from" in (s.tags or ()) else "stay") for s in sentences()]


def made(options: TaggerOptions = SMALL) -> Tagger:
    torch.manual_seed(3)
    return Tagger(options, collect_vocabulary(LABELLED, options, 1))


def members_of(tagger: Tagger) -> list[Member]:
    return [cast(Member, member) for member in tagger.members]


@pytest.mark.parametrize("output", ["softmax", "crf", "perceptron", "svm", "hmm"])
def test_they_score_together_and_learn_each_by_itself(output: str) -> None:
    options = TaggerOptions(**{**asdict(SMALL), "output": output})
    pair = made(options)
    singles = [made(replace(options, members=1)) for _ in range(2)]
    common = {name: value for name, value in pair.state_dict().items() if not name.startswith("members")}
    for number, single in enumerate(singles):
        prefix = f"members.{number}."
        own = {k.replace(prefix, "members.0."): v for k, v in pair.state_dict().items() if k.startswith(prefix)}
        single.load_state_dict(common | own)
    batch = pair.encode(LABELLED)
    one, other = (single.scores(batch) for single in singles)
    assert not torch.equal(one.tags, other.tags)
    found = pair.scores(batch)
    assert_close(found.tags, (one.tags + other.tags) / 2)
    assert_close(cast(Tensor, found.labels), (cast(Tensor, one.labels) + cast(Tensor, other.labels)) / 2)
    losses = [tagger.loss(batch) for tagger in (pair, *singles)]
    assert_close(losses[0], (losses[1] + losses[2]) / 2)
    for loss in losses:
        loss.backward()
    for member, single in zip(members_of(pair), singles, strict=True):
        for ours, alone in zip(member.parameters(), members_of(single)[0].parameters(), strict=True):
            if alone.grad is not None:
                assert_close(cast(Tensor, ours.grad), alone.grad / 2)


def test_each_drops_entries_of_its_own_before_and_after_its_encoder() -> None:
    tagger = made(replace(SMALL, dropout=0.5))
    first, second = members_of(tagger)
    second.load_state_dict(first.state_dict())
    seen: dict[str, list[Tensor]] = {"encoder": [], "output": []}
    for member in (first, second):
        member.encoder.register_forward_pre_hook(lambda _, args: seen["encoder"].append(args[0]))
        member.output.register_forward_pre_hook(lambda _, args: seen["output"].append(args[0]))
    batch = tagger.encode([["fly", "from", "Oslo", "to", "Rome"] * 20])
    tagger(batch)
    for one, other in seen.values():
        assert not torch.equal(one == 0, other == 0)
        for dropped in (one, other):
            assert 0.4 < float((dropped == 0).float().mean()) < 0.6
    tagger.eval()
    one, other = tagger.read(batch)
    assert torch.equal(one.tags, other.tags)


def test_labels_are_the_same_alone_and_in_company() -> None:
    tagger = made().eval()
    together = tagger.scores(tagger.encode(LABELLED)).labels
    alone = [tagger.scores(tagger.encode([sentence])).labels for sentence in LABELLED]
    assert_close(cast(Tensor, together), torch.cat([cast(Tensor, one) for one in alone]))


def test_they_are_saved_and_the_first_is_looked_into(tmp_path: Path) -> None:
    tagger = made(replace(SMALL, members=3)).eval()
    write_model(tmp_path / "m", {"task": "tag", **tagger.config()}, tagger.state_dict())
    again, batch = load_as(Tagger, tmp_path / "m"), tagger.encode(LABELLED)
    assert len(again.members) == 3
    assert torch.equal(again(batch), tagger(batch))
    assert again.encoder is members_of(again)[0].encoder


def test_the_doctor_tells_their_gradients_apart_without_dropout() -> None:
    """Both encoders read one tensor, whose gradient is the sum of what reaches either."""
    tagger = made()
    doctor = Doctor(tagger)
    doctor.before()
    tagger.loss(tagger.encode(LABELLED)).backward()
    one, other = doctor._gradients.values()
    assert not torch.equal(one, other)
    doctor.after(1.0)


def test_none_are_refused() -> None:
    with pytest.raises(UsageError, match="members is 0, wanted 1 or more"):
        TaggerOptions(members=0)
