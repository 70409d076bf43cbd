"""CRF, perceptron and SVM against enumeration, what their losses bound, and what a tag scheme forbids."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor

from timeloom.core import DataError, UsageError
from timeloom.data import chunks
from timeloom.structured import CRF, ChainOutput, StructuredPerceptron, StructuredSVM, tag_rules

TAGS = ["B-a", "B-b", "I-a", "I-b", "O"]
B, T, K = 3, 4, len(TAGS)
LENGTHS = torch.tensor([4, 1, 3])


def drawn(kind: Any, seed: int = 0, **options: Any) -> tuple[ChainOutput, Tensor, Tensor]:
    """An output with random transitions, emissions, and allowed paths of random tags."""
    torch.manual_seed(seed)
    output = kind(K, tag_rules(TAGS), **options).double()
    with torch.no_grad():
        for parameter in output.parameters():
            parameter.normal_()
    emissions = torch.randn(B, T, K, dtype=torch.float64, requires_grad=True)
    tags = torch.full((B, T), -1)
    for b, n in enumerate(LENGTHS.tolist()):
        paths = allowed_paths(n)
        tags[b, :n] = torch.tensor(paths[int(torch.randint(len(paths), ()))])
    return output, emissions, tags


def allowed_paths(n: int) -> list[tuple[int, ...]]:
    """The paths that BIO allows: those whose I- tags all continue a chunk."""
    return [
        path
        for path in itertools.product(range(K), repeat=n)
        if sum(len(TAGS[k]) > 1 and TAGS[k][0] == "B" for k in path) == len(chunks([TAGS[k] for k in path]))
    ]


def scores(output: ChainOutput, emissions: Tensor, b: int) -> tuple[list[tuple[int, ...]], Tensor]:
    n = int(LENGTHS[b])
    paths = allowed_paths(n)
    return paths, torch.stack(
        [
            output.start[p[0]]
            + output.end[p[-1]]
            + sum(emissions[b, t, k] for t, k in enumerate(p))
            + sum(output.transitions[i, j] for i, j in itertools.pairwise(p))
            for p in paths
        ]
    )


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (CRF, {}),
        (StructuredPerceptron, {}),
        (StructuredSVM, {}),
        (StructuredSVM, {"outside": 4, "missed": 3.0, "invented": 0.5}),
    ],
)
def test_losses_are_those_of_enumeration(kind: Any, options: dict[str, Any], seed: int) -> None:
    output, emissions, tags = drawn(kind, seed, **options)
    wanted = []
    for b, n in enumerate(LENGTHS.tolist()):
        paths, every = scores(output, emissions, b)
        gold = tuple(tags[b, :n].tolist())
        if kind is CRF:
            total = torch.logsumexp(every, 0)
        else:
            costs = torch.zeros(len(paths), dtype=torch.float64)
            if isinstance(output, StructuredSVM):
                costs += torch.tensor([sum(cost(options, g, k) for g, k in zip(gold, p, strict=True)) for p in paths])
            total = (every + costs).max()
        wanted.append(total - every[paths.index(gold)])
    loss, by_hand = output.loss(emissions, tags, LENGTHS), torch.stack(wanted).sum() / LENGTHS.sum()
    torch.testing.assert_close(loss, by_hand)
    leaves = [emissions, *output.parameters()]
    for one, other in zip(torch.autograd.grad(loss, leaves), torch.autograd.grad(by_hand, leaves), strict=True):
        torch.testing.assert_close(one, other)


def cost(options: dict[str, Any], right: int, found: int) -> float:
    if right == found:
        return 0.0
    if found == options.get("outside"):
        return options["missed"]
    return options["invented"] if right == options.get("outside") else 1.0


@pytest.mark.parametrize("options", [{}, {"outside": 4, "missed": 3.0, "invented": 0.5}])
def test_the_loss_of_the_svm_bounds_the_cost_of_what_is_decoded(options: dict[str, Any]) -> None:
    bounds = []
    for seed in range(30):
        output, emissions, tags = drawn(StructuredSVM, seed, **options)
        assert isinstance(output, StructuredSVM)
        best, _ = output.chain(emissions, LENGTHS).best_path()
        total = output.loss(emissions, tags, LENGTHS).item() * int(LENGTHS.sum())
        paid = float(output.cost(tags, best, LENGTHS).sum())
        assert total >= paid - 1e-9
        bounds.append((total, paid))
    assert any(paid > 0 for _, paid in bounds)


def test_the_perceptron_rests_once_the_right_path_is_best() -> None:
    output, emissions, tags = drawn(StructuredPerceptron)
    sure = emissions.detach() + 100 * torch.nn.functional.one_hot(tags.clamp(min=0), K)
    assert output.loss(sure, tags, LENGTHS).item() == 0


def test_only_paths_of_the_scheme_have_a_probability() -> None:
    output, emissions, _ = drawn(CRF)
    chain = output.chain(emissions, LENGTHS)
    for b, n in enumerate(LENGTHS.tolist()):
        allowed = set(allowed_paths(n))
        assert 0 < len(allowed) < K**n
        for path in itertools.product(range(K), repeat=n):
            padded = torch.zeros(B, T, dtype=torch.long)
            padded[b, :n] = torch.tensor(path)
            assert (chain.score(padded)[b].item() > -torch.inf) == (path in allowed)


@pytest.mark.parametrize(
    ("scheme", "tags", "forbidden"),
    [
        ("bio", ["O", "B-x", "I-x"], {("O", "I-x"), ("", "I-x")}),
        ("iob1", ["O", "I-x", "B-x"], {("O", "B-x"), ("", "B-x")}),
        (
            "iobes",
            ["O", "B-x", "I-x", "E-x", "S-x"],
            {("O", "I-x"), ("O", "E-x"), ("B-x", "O"), ("B-x", "B-x"), ("B-x", "S-x"), ("I-x", "O"), ("I-x", "B-x")}
            | {("I-x", "S-x"), ("E-x", "I-x"), ("E-x", "E-x"), ("S-x", "I-x"), ("S-x", "E-x"), ("", "I-x"), ("", "E-x")}
            | {("B-x", ""), ("I-x", "")},
        ),
    ],
)
def test_what_a_scheme_forbids(scheme: str, tags: list[str], forbidden: set[tuple[str, str]]) -> None:
    rules = tag_rules(tags, scheme)
    found = {(a, b) for i, a in enumerate(tags) for j, b in enumerate(tags) if not rules.transitions[i, j]}
    found |= {("", tag) for tag, may in zip(tags, rules.start, strict=True) if not may}
    found |= {(tag, "") for tag, may in zip(tags, rules.end, strict=True) if not may}
    assert found == forbidden


def test_what_cannot_be_is_refused() -> None:
    output, emissions, tags = drawn(CRF)
    tags[2, 0] = TAGS.index("I-a")
    with pytest.raises(UsageError, match=r"CRF: the right tags of sentence 2 .* are forbidden by the rules"):
        output.loss(emissions, tags, LENGTHS)
    with pytest.raises(UsageError, match="tags is 0"):
        CRF(0)
    with pytest.raises(UsageError, match=r"CRF: tags is \['O'\], wanted how many there are"):
        CRF(["O"])  # pyright: ignore[reportArgumentType]
    with pytest.raises(UsageError, match=r"rules.transitions are \(5, 5\), wanted \(4, 4\)"):
        CRF(4, tag_rules(TAGS))
    for wrong in (-1, float("nan"), float("inf")):
        with pytest.raises(UsageError, match=r"the costs are .* and 1.0, wanted finite numbers"):
            StructuredSVM(4, outside=0, missed=wrong)
    with pytest.raises(UsageError, match="without an outside there are none"):
        StructuredSVM(4, missed=2.0)
    with pytest.raises(UsageError, match="outside is 7"):
        StructuredSVM(4, outside=7)
    with pytest.raises(UsageError, match="there is no tag scheme 'foo'"):
        tag_rules(TAGS, "foo")
    with pytest.raises(DataError, match="'E-x' is not a tag"):
        tag_rules(["O", "E-x"], "bio")
