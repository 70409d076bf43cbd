"""The chain against the enumeration of all paths, against known numbers, and where it must refuse."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from timeloom.chain import Chain
from timeloom.chain import best as best_module
from timeloom.core import ShapeError, UsageError


class Drawn:
    """A small chain of random scores, some of them forbidden, and each of its paths."""

    def __init__(self, seed: int, forbidden: float, gradients: bool = False):
        draw = torch.Generator().manual_seed(seed)
        B, T, K = (int(torch.randint(low, high, (), generator=draw)) for low, high in ((1, 4), (0, 5), (1, 4)))

        def scores(*sizes: int) -> Tensor:
            drawn = 3 * torch.randn(sizes, generator=draw, dtype=torch.float64)
            return drawn.masked_fill(torch.rand(sizes, generator=draw) < forbidden, -torch.inf)

        self.emissions, self.transitions, self.start, self.end = scores(B, T, K), scores(K, K), scores(K), scores(K)
        self.parts = [self.emissions, self.transitions, self.start, self.end]
        for part in self.parts if gradients else ():
            part.requires_grad_()
        self.lengths = torch.randint(0, T + 1, (B,), generator=draw)
        self.chain = Chain(self.emissions, self.transitions, self.start, self.end, self.lengths)
        self.paths = [list(itertools.product(range(K), repeat=int(n))) for n in self.lengths]
        self.scores = [torch.stack([self.score(b, path) for path in paths]) for b, paths in enumerate(self.paths)]
        self.possible = all((scores > -torch.inf).any() for scores in self.scores)

    def score(self, b: int, path: tuple[int, ...]) -> Tensor:
        if not path:
            return torch.zeros((), dtype=torch.float64)
        parts = [self.start[path[0]], self.end[path[-1]]]
        parts += [self.emissions[b, t, tag] for t, tag in enumerate(path)]
        parts += [self.transitions[i, j] for i, j in itertools.pairwise(path)]
        return torch.stack(parts).sum()

    def chances(self, b: int) -> Tensor:
        return torch.softmax(self.scores[b], 0)


drawn = given(st.integers(0, 10**6), st.sampled_from([0.0, 0.0, 0.2, 0.6]))
close: dict[str, Any] = {"rtol": 1e-10, "atol": 1e-10}


@settings(max_examples=60, deadline=None)
@drawn
def test_what_is_asked_of_a_chain_is_what_enumeration_gives(seed: int, forbidden: float) -> None:
    case = Drawn(seed, forbidden)
    chain = case.chain
    sums = torch.stack([torch.logsumexp(scores, 0) for scores in case.scores])
    torch.testing.assert_close(chain.partition(), sums, **close)
    if not case.possible:
        for question in (chain.best_path, chain.marginals, chain.pair_marginals, chain.entropy, chain.least_risk_path):
            with pytest.raises(UsageError, match=r"every path of sentence .* is forbidden"):
                question()
        with pytest.raises(UsageError, match="every path of sentence"):
            chain.sample(2)
        with pytest.raises(UsageError, match="every path of sentence"):
            chain.k_best(2)
        with pytest.raises(UsageError, match="every path of sentence"):
            chain.log_prob(torch.zeros(len(case.lengths), max(case.lengths.tolist()), dtype=torch.long))
        return
    path, best = chain.best_path()
    several, ordered = chain.k_best(3)
    marginals, pairs, entropy, (risk_path, right) = (
        chain.marginals(),
        chain.pair_marginals(),
        chain.entropy(),
        chain.least_risk_path(),
    )
    torch.testing.assert_close(chain.score(path), best, **close)
    for b, n in enumerate(case.lengths.tolist()):
        paths, scores, chances = case.paths[b], case.scores[b], case.chances(b)
        torch.testing.assert_close(best[b], scores.max(), **close)
        assert path[b, n:].eq(-1).all()
        wanted = scores.sort(descending=True).values[:3]
        torch.testing.assert_close(ordered[b, : len(wanted)], wanted, **close)
        assert ordered[b, len(wanted) :].eq(-torch.inf).all()
        found = [
            tuple(tags[:n]) for tags, score in zip(several[b].tolist(), ordered[b], strict=True) if score > -torch.inf
        ]
        assert len(set(found)) == len(found)
        for tags, score in zip(found, ordered[b], strict=False):
            torch.testing.assert_close(case.score(b, tags), score, **close)
        mean = -(chances * torch.where(chances > 0, chances.log(), 0.0)).sum()
        torch.testing.assert_close(entropy[b], mean, **close)
        expected = torch.zeros_like(marginals[b])
        expected_pairs = torch.zeros_like(pairs[b])
        for tags, chance in zip(paths, chances, strict=True):
            for t, tag in enumerate(tags):
                expected[t, tag] += chance
            for t, (i, j) in enumerate(itertools.pairwise(tags)):
                expected_pairs[t, i, j] += chance
        torch.testing.assert_close(marginals[b], expected, **close)
        torch.testing.assert_close(pairs[b], expected_pairs, **close)
        allowed = [tags for tags, chance in zip(paths, chances, strict=True) if chance > 0]
        hits = [sum(float(expected[t, tag]) for t, tag in enumerate(tags)) for tags in allowed]
        assert float(right[b]) == pytest.approx(max(hits), abs=1e-9)
        assert tuple(risk_path[b, :n].tolist()) in allowed


@settings(max_examples=30, deadline=None)
@drawn
def test_gradients_are_those_of_enumeration(seed: int, forbidden: float) -> None:
    case = Drawn(seed, forbidden, gradients=True)
    if not case.possible:
        return
    ours = [case.chain.partition(), case.chain.entropy(), case.chain.marginals().square().sum((1, 2))]
    sums = torch.stack([torch.logsumexp(scores, 0) for scores in case.scores])
    entropies, squares = [], []
    for b, paths in enumerate(case.paths):
        chances = case.chances(b)
        entropies.append(-(chances * torch.where(chances > 0, chances, 1.0).log()).sum())
        of_tags = [
            sum((chance for tags, chance in zip(paths, chances, strict=True) if tags[t] == k), chances.new_zeros(()))
            for t in range(int(case.lengths[b]))
            for k in range(len(case.start))
        ]
        squares.append(torch.stack([*of_tags, chances.new_zeros(())]).square().sum())
    for mine, wanted in zip(ours, (sums, torch.stack(entropies), torch.stack(squares)), strict=True):
        weights = torch.linspace(0.5, 1.5, len(sums), dtype=torch.float64)
        nothing = 0 * torch.stack([part.nan_to_num(0, neginf=0).sum() for part in case.parts]).sum()
        for one, other in zip(
            torch.autograd.grad(
                (mine * weights).sum() + nothing, case.parts, retain_graph=True, materialize_grads=True
            ),
            torch.autograd.grad(
                (wanted * weights).sum() + nothing, case.parts, retain_graph=True, materialize_grads=True
            ),
            strict=True,
        ):
            torch.testing.assert_close(one, torch.where(other.isnan(), 0.0, other), rtol=1e-9, atol=1e-9)


def test_samples_come_as_often_as_their_probability_says() -> None:
    case = Drawn(seed=11, forbidden=0.0)
    torch.manual_seed(0)
    e, a = torch.randn(2, 3, 2, dtype=torch.float64), torch.randn(2, 2, dtype=torch.float64)
    chain = Chain(e, a, lengths=torch.tensor([3, 2]))
    found = chain.sample(20000, torch.Generator().manual_seed(1))
    assert found.shape == (20000, 2, 3)
    assert found[:, 1, 2].eq(-1).all()
    for b, n in enumerate((3, 2)):
        for tags in itertools.product(range(2), repeat=n):
            path = torch.full((2, 3), -1)
            path[0], path[1, :2] = 0, 0
            path[b, :n] = torch.tensor(tags)
            chance = float(chain.log_prob(path)[b].exp())
            often = float((found[:, b, :n] == torch.tensor(tags)).all(-1).double().mean())
            assert often == pytest.approx(chance, abs=4 * math.sqrt(chance * (1 - chance) / 20000) + 1e-9)
    torch.testing.assert_close(chain.log_prob(found)[0], chain.score(found[0]) - chain.partition(), **close)
    assert case.chain.sample(0).shape[0] == 0


def test_all_paths_but_one_are_forbidden() -> None:
    nothing = -torch.inf
    transitions = torch.full((3, 3), nothing)
    transitions[0, 1], transitions[1, 2] = 0.5, 0.25
    chain = Chain(torch.randn(1, 3, 3), transitions, start=torch.tensor([0.0, nothing, nothing]))
    path = torch.tensor([[0, 1, 2]])
    assert torch.equal(chain.best_path()[0], path)
    assert torch.equal(chain.least_risk_path()[0], path)
    assert torch.equal(chain.sample(4), path.expand(4, 1, 3))
    torch.testing.assert_close(chain.marginals(), torch.eye(3)[None])
    torch.testing.assert_close(chain.log_prob(path), torch.zeros(1))
    torch.testing.assert_close(chain.entropy(), torch.zeros(1))
    paths, scores = chain.k_best(2)
    assert paths[0, 1].tolist() == [-1] * 3
    assert scores[0, 1] == nothing


def test_an_empty_batch_has_empty_answers() -> None:
    chain = Chain(torch.zeros(0, 4, 3), torch.zeros(3, 3))
    none = torch.zeros(0, 4, dtype=torch.long)
    assert chain.partition().shape == chain.entropy().shape == chain.log_prob(none).shape == (0,)
    assert chain.best_path()[0].shape == chain.least_risk_path()[0].shape == (0, 4)
    assert chain.marginals().shape == (0, 4, 3)
    assert chain.pair_marginals().shape == (0, 3, 3, 3)
    assert chain.k_best(2)[0].shape == (0, 2, 4)
    assert chain.sample(2).shape == (2, 0, 4)


@pytest.mark.parametrize("seed", range(20))
def test_of_equal_paths_all_ways_to_the_best_take_the_same(seed: int) -> None:
    torch.manual_seed(seed)
    parts = [torch.randint(-1, 2, sizes).float() for sizes in ((3, 5, 4), (4, 4), (4,), (4,))]
    chain = Chain(*parts)
    assert torch.equal(chain.best_path()[0], chain.k_best(3)[0][:, 0])


def test_the_path_of_least_risk_is_an_allowed_one() -> None:
    """A is the likeliest tag of both steps, and A after A is forbidden. Of the paths AB, BA and CA, with .4, .32 and
    .28, the second has .32 + .6 tags right in the mean."""
    forbidden = -torch.inf
    chances = {(0, 1): 0.4, (1, 0): 0.32, (2, 0): 0.28}
    transitions = torch.full((3, 3), forbidden, dtype=torch.float64)
    for (i, j), chance in chances.items():
        transitions[i, j] = math.log(chance)
    chain = Chain(torch.zeros(1, 2, 3, dtype=torch.float64), transitions)
    assert chain.marginals()[0].argmax(-1).tolist() == [0, 0]
    path, right = chain.least_risk_path()
    assert path.tolist() == [[1, 0]]
    assert right.item() == pytest.approx(0.92)
    assert chain.best_path()[0].tolist() == [[0, 1]]


def test_scores_of_the_best_paths_have_gradients() -> None:
    torch.manual_seed(0)
    parts = [torch.randn(sizes, dtype=torch.float64, requires_grad=True) for sizes in ((2, 4, 3), (3, 3), (3,), (3,))]
    chain = Chain(*parts, lengths=torch.tensor([4, 0]))
    paths, scores = chain.k_best(3)
    assert scores[1].tolist() == [0.0, -math.inf, -math.inf]
    wanted = torch.stack([chain.score(paths[:1, rank].expand(2, -1).clamp(min=0))[0] for rank in range(3)])
    torch.testing.assert_close(scores[0], wanted, **close)
    for one, other in zip(
        torch.autograd.grad(scores[0].square().sum(), parts, retain_graph=True),
        torch.autograd.grad(wanted.square().sum(), parts),
        strict=True,
    ):
        torch.testing.assert_close(one, other, **close)


def test_without_a_compiler_the_best_path_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    chain = Chain(torch.randn(5, 30, 21), torch.randn(21, 21), lengths=torch.tensor([30, 29, 1, 0, 12]))
    native = chain.best_path()
    best_module.warn_once.cache_clear()
    monkeypatch.setattr(best_module, "library", lambda dtype: "no compiler")
    with pytest.warns(UserWarning, match="in torch, which is slower: no compiler"):
        plain = chain.best_path()
    assert torch.equal(native[0], plain[0])
    torch.testing.assert_close(native[1], plain[1])


def test_ties_go_to_the_smaller_tag() -> None:
    assert Chain(torch.zeros(1, 4, 40), torch.zeros(40, 40)).best_path()[0].tolist() == [[0, 0, 0, 0]]


def test_costs_make_wrong_paths_score_higher() -> None:
    torch.manual_seed(0)
    chain, gold = Chain(torch.randn(3, 6, 4), torch.randn(4, 4)), torch.randint(4, (3, 6))
    costs = 1.0 - torch.nn.functional.one_hot(gold, 4).float()
    path, score = chain.with_costs(costs).best_path()
    wrong = (path != gold).sum(1)
    torch.testing.assert_close(score, chain.score(path) + wrong)
    assert (score >= chain.score(gold)).all()


def test_it_works_without_gradients_and_in_inference_mode() -> None:
    with torch.inference_mode():
        chain = Chain(torch.randn(2, 5, 3), torch.randn(3, 3))
        marginals, pairs = chain.marginals(), chain.pair_marginals()
        torch.testing.assert_close(marginals.sum(-1), torch.ones(2, 5))
        torch.testing.assert_close(pairs.sum(2), marginals[:, 1:], rtol=1e-4, atol=1e-5)
        assert chain.entropy().ge(0).all()


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Chain(torch.zeros(2, 3), torch.zeros(3, 3)), ShapeError, r"emissions are \(2, 3\)"),
        (
            lambda: Chain(torch.zeros(2, 3, 4), torch.zeros(3, 3)),
            ShapeError,
            r"transitions do not fit .* \(B=2, T=3, K=4\)",
        ),
        (
            lambda: Chain(torch.zeros(2, 3, 4), torch.zeros(4, 4), start=torch.zeros(4).double()),
            ShapeError,
            "start: .* of torch.float64",
        ),
        (
            lambda: Chain(torch.zeros(2, 3, 4), torch.zeros(4, 4), lengths=torch.tensor([3, 4])),
            ShapeError,
            "lengths lie between 3 and 4",
        ),
        (
            lambda: Chain(torch.tensor([[[0.0], [0.0]], [[0.0], [math.nan]]]), torch.zeros(1, 1)),
            UsageError,
            "the emissions of sentence 1 hold NaN or .inf at step 1",
        ),
        (lambda: Chain(torch.zeros(1, 1, 1), torch.full((1, 1), math.inf)), UsageError, "transitions hold NaN or .inf"),
        (
            lambda: Chain(torch.zeros(1, 2, 3), torch.zeros(3, 3)).score(torch.tensor([[0, 3]])),
            UsageError,
            "the path of sentence 0 has a tag at step 1 that is none of 0 to 2",
        ),
        (
            lambda: Chain(torch.zeros(1, 2, 3), torch.zeros(3, 3)).score(torch.tensor([[0.0, 1.0]])),
            ShapeError,
            "wanted integers",
        ),
        (lambda: Chain(torch.zeros(1, 2, 3), torch.zeros(3, 3)).k_best(0), UsageError, "k is 0"),
        (lambda: Chain([[[0.0]]], torch.zeros(1, 1)), ShapeError, "emissions are a list, wanted a tensor"),  # pyright: ignore[reportArgumentType]
        (lambda: Chain(torch.zeros(1, 1, 1), None), ShapeError, "transitions are a NoneType"),  # pyright: ignore[reportArgumentType]
        (
            lambda: Chain(torch.zeros(1, 2, 3), torch.zeros(3, 3)).score(torch.zeros(1, 2, dtype=torch.bool)),
            ShapeError,
            "of torch.bool, wanted integers",
        ),
        (
            lambda: Chain(torch.zeros(1, 2, 3), torch.zeros(3, 3)).with_costs(torch.full((1, 2, 3), math.nan)),
            UsageError,
            "the costs hold NaN or inf",
        ),
        (
            lambda: Chain(torch.zeros(1, 2, 3), torch.zeros(3, 3)).with_costs(torch.zeros(1, 2)),
            ShapeError,
            r"costs are \(1, 2\), wanted \(1, 2, 3\)",
        ),
    ],
)
def test_what_does_not_fit_is_refused(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()


def test_padding_may_hold_anything() -> None:
    emissions = torch.randn(2, 4, 3)
    emissions[0, 2:] = math.nan
    chain = Chain(emissions.requires_grad_(), torch.randn(3, 3), lengths=torch.tensor([2, 4]))
    (gradient,) = torch.autograd.grad(chain.partition().sum(), emissions)
    assert not gradient[0, 2:].any()
    assert gradient.isfinite().all()
