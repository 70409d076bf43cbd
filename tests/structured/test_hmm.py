"""The hidden Markov model against hmmlearn, against counting by hand, and where it must refuse."""

from __future__ import annotations

import itertools
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from timeloom.core import ShapeError, UsageError
from timeloom.structured import HMM, Categorical, Gaussian, Posteriors
from timeloom.structured.counts import counts_of

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from hmmlearn import hmm as hmmlearn


def shares(*sizes: int, seed: int = 0) -> Tensor:
    drawn = torch.rand(sizes, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + 0.1
    return drawn / drawn.sum(-1, keepdim=True)


def sequences(*lengths: int, symbols: int = 0, features: int = 2) -> list[Tensor]:
    draw = torch.Generator().manual_seed(1)
    if symbols:
        return [torch.randint(symbols, (n,), generator=draw) for n in lengths]
    return [torch.randn(n, features, generator=draw, dtype=torch.float64) * 2 for n in lengths]


def pair(kind: str, K: int = 3) -> tuple[HMM, Any, list[Tensor]]:
    """The same model here and there, and sequences for both."""
    start, transitions = shares(K, seed=1), shares(K, K, seed=2)
    if kind == "categorical":
        observed, table = sequences(30, 12, 1, symbols=5), shares(K, 5, seed=3)
        theirs = hmmlearn.CategoricalHMM(n_components=K, init_params="", n_iter=20, tol=0, implementation="log")
        theirs.emissionprob_ = table.numpy().copy()
        emission: Any = Categorical(table)
    else:
        observed = sequences(40, 25, 9)
        means = torch.randn(K, 2, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
        theirs = hmmlearn.GaussianHMM(
            n_components=K,
            covariance_type=kind,
            init_params="",
            n_iter=20,
            tol=0,
            implementation="log",
            covars_prior=0,
            covars_weight=-K if kind == "full" else 1,
            min_covar=0,
        )
        covariances = torch.ones(K, 2).double() if kind == "diag" else torch.eye(2).double().expand(K, 2, 2).clone()
        theirs.means_, theirs.covars_ = means.numpy().copy(), covariances.numpy().copy()
        emission = Gaussian(means, covariances, floor=0.0)
    theirs.startprob_, theirs.transmat_ = start.numpy().copy(), transitions.numpy().copy()
    return HMM(start, transitions, emission), theirs, observed


def joined(observed: list[Tensor]) -> tuple[np.ndarray, list[int]]:
    together = torch.cat(observed).numpy()
    return (together[:, None] if together.ndim == 1 else together), [len(o) for o in observed]


@pytest.mark.parametrize("kind", ["categorical", "diag", "full"])
def test_likelihood_and_viterbi_are_those_of_hmmlearn(kind: str) -> None:
    ours, theirs, observed = pair(kind)
    data, lengths = joined(observed)
    total = sum(float(ours.log_likelihood(o[None])) for o in observed)
    assert total == pytest.approx(theirs.score(data, lengths), rel=1e-9)
    logs, states = theirs.decode(data, lengths)
    found = [ours.viterbi(o[None]) for o in observed]
    assert sum(float(score) for _, score in found) == pytest.approx(logs, rel=1e-9)
    assert torch.cat([path[0] for path, _ in found]).tolist() == states.tolist()
    marginals = torch.cat([ours.chain(o[None]).marginals()[0] for o in observed])
    np.testing.assert_allclose(marginals.numpy(), theirs.predict_proba(data, lengths), atol=1e-8)


@pytest.mark.parametrize("kind", ["categorical", "diag", "full"])
def test_baum_welch_goes_where_hmmlearn_goes(kind: str) -> None:
    ours, theirs, observed = pair(kind)
    data, lengths = joined(observed)
    learned, said = ours.baum_welch(observed, rounds=5, tolerance=-1)
    assert len(said) == 6
    assert all(later >= earlier - 1e-9 for earlier, later in itertools.pairwise(said))
    theirs.n_iter = 5
    theirs.tol = -1e9
    theirs.fit(data, lengths)
    np.testing.assert_allclose(theirs.monitor_.history, said[:5], rtol=1e-8)
    np.testing.assert_allclose(learned.transitions.numpy(), theirs.transmat_, atol=1e-7)
    np.testing.assert_allclose(learned.start.numpy(), theirs.startprob_, atol=1e-7)
    if isinstance(learned.emission, Categorical):
        np.testing.assert_allclose(learned.emission.probabilities.numpy(), theirs.emissionprob_, atol=1e-7)
    else:
        assert isinstance(learned.emission, Gaussian)
        np.testing.assert_allclose(learned.emission.means.numpy(), theirs.means_, atol=1e-6)


def test_counting_with_smoothing_by_hand() -> None:
    observed = [torch.tensor([0, 1, 1]), torch.tensor([2])]
    states = [torch.tensor([0, 0, 1]), torch.tensor([1])]
    model = HMM.counted(observed, states, Categorical(torch.full((2, 3), 1 / 3)), smoothing=1.0)
    # Begins: state 0 once, 1 once. Moves: 0→0, 0→1. State 0 makes 0 and 1, state 1 makes 1 and 2. One more of each.
    torch.testing.assert_close(model.start, torch.tensor([0.5, 0.5]))
    torch.testing.assert_close(model.transitions, torch.tensor([[0.5, 0.5], [0.5, 0.5]]))
    assert isinstance(model.emission, Categorical)
    torch.testing.assert_close(model.emission.probabilities, torch.tensor([[2.0, 2, 1], [1, 2, 2]]) / 5)
    without = HMM.counted(observed, states, Categorical(torch.full((2, 3), 1 / 3)), smoothing=0.0)
    torch.testing.assert_close(without.transitions, torch.tensor([[0.5, 0.5], [0.5, 0.5]]))  # state 1: never left


def test_alignment_is_the_best_of_all_ways_through() -> None:
    K, T = 3, 7
    model = HMM(shares(K, seed=1), shares(K, K, seed=2), Categorical(shares(K, 4, seed=3)))
    observed, states = sequences(T, symbols=4)[0], torch.tensor([2, 0, 0, 1])
    found = model.align(observed, states)
    emission = model.emission.log_prob(observed[None])[0]

    def score(ends: tuple[int, ...]) -> float:
        places = [sum(t >= end for end in ends) for t in range(T)]
        path = states[torch.tensor(places)]
        moves = model.transitions[path[:-1], path[1:]].log().sum()
        return float(model.start[path[0]].log() + moves + emission[torch.arange(T), path].sum())

    best = max(itertools.combinations(range(1, T), len(states) - 1), key=score)
    assert found.tolist() == [sum(t >= end for end in best) for t in range(T)]
    with pytest.raises(UsageError, match="3 steps cannot pass through 4 states"):
        model.align(observed[:3], states)


@pytest.mark.parametrize("kind", ["full", "diagonal"])
def test_counted_gaussians_are_the_moments_of_their_steps(kind: str) -> None:
    torch.manual_seed(0)
    observed = [torch.randn(n, 2, dtype=torch.float64) for n in (5, 1, 8)]
    states = [torch.randint(3, (len(steps),)) for steps in observed]
    spread = torch.ones(3, 2) if kind == "diagonal" else torch.eye(2).expand(3, 2, 2)
    start = Gaussian(torch.zeros(3, 2, dtype=torch.float64), spread.double(), floor=0.1)
    model = HMM.counted(observed, states, start, smoothing=0.5)
    emission = model.emission
    assert isinstance(emission, Gaussian)
    assert model.start.dtype == model.transitions.dtype == torch.float64
    for k in range(3):
        steps = torch.cat([o[s == k] for o, s in zip(observed, states, strict=True)])
        wanted = torch.cov(steps.T, correction=0) + 0.1 * torch.eye(2)
        torch.testing.assert_close(emission.means[k], steps.mean(0))
        torch.testing.assert_close(emission.covariances[k], wanted.diagonal() if kind == "diagonal" else wanted)
    begun = torch.tensor([sum(int(s[0]) == k for s in states) + 0.5 for k in range(3)], dtype=torch.float64)
    torch.testing.assert_close(model.start, begun / begun.sum())


def test_counting_keeps_the_type_of_numbers() -> None:
    start = Categorical(torch.full((2, 3), 1 / 3, dtype=torch.float64))
    model = HMM.counted([torch.tensor([0, 2])], [torch.tensor([1, 1])], start)
    assert isinstance(model.emission, Categorical)
    assert model.emission.probabilities.dtype == model.transitions.dtype == torch.float64


@pytest.mark.parametrize("smoothing", [0.0, 0.7])
def test_a_round_of_baum_welch_is_expected_counts(smoothing: float) -> None:
    """From the marginals of the chain, which come from another recursion; state 2 is never in, and stays as it was."""
    table = torch.tensor([[0.2, 0.3, 0.5], [0.5, 0.25, 0.25], [0.0, 0.0, 1.0]], dtype=torch.float64)
    start = torch.tensor([0.5, 0.5, 0.0], dtype=torch.float64)
    transitions = torch.tensor([[0.5, 0.5, 0.0], [0.25, 0.75, 0.0], [0.1, 0.1, 0.8]], dtype=torch.float64)
    model, observed = HMM(start, transitions, Categorical(table)), [torch.tensor([0, 1, 2, 1]), torch.tensor([2, 0])]
    begins, moves, makes = (torch.zeros(sizes, dtype=torch.float64) for sizes in ((3,), (3, 3), (3, 3)))
    for steps in observed:
        chain = model.chain(steps[None])
        begins += chain.marginals()[0, 0]
        moves += chain.pair_marginals()[0].sum(0)
        makes += chain.marginals()[0].T @ torch.nn.functional.one_hot(steps, 3).double()
    learned, history = model.baum_welch(observed, rounds=1, smoothing=smoothing)
    assert len(history) == 2
    assert isinstance(learned.emission, Categorical)
    for found, counts, before in (
        (learned.start[None], begins[None], start[None]),
        (learned.transitions, moves, transitions),
        (learned.emission.probabilities, makes, table),
    ):
        smoothed = counts + smoothing
        wanted = torch.where(smoothed.sum(-1, keepdim=True) > 0, smoothed / smoothed.sum(-1, keepdim=True), before)
        torch.testing.assert_close(found, wanted)


def test_baum_welch_ends_where_a_round_gains_too_little_and_gives_the_best() -> None:
    model, _, observed = pair("categorical")
    _, all_rounds = model.baum_welch(observed, rounds=30, tolerance=-1)
    gains = [later - earlier for earlier, later in itertools.pairwise(all_rounds)]
    tolerance = (gains[3] + gains[4]) / 2
    ends = next(number for number, gain in enumerate(gains) if gain < tolerance)
    assert len(model.baum_welch(observed, rounds=30, tolerance=tolerance)[1]) == ends + 2
    learned, history = model.baum_welch(observed, rounds=10, tolerance=-1e9, smoothing=10.0)
    assert history[-1] < max(history)  # so much smoothing loses again what it gained
    assert sum(float(learned.log_likelihood(o[None])) for o in observed) == pytest.approx(max(history))
    with torch.inference_mode():
        assert model.baum_welch([o.clone() for o in observed], rounds=2)[1] == all_rounds[:3]


def test_counts_are_exact_beyond_the_integers_of_float32() -> None:
    many = 2**24 + 5
    counts = counts_of([torch.zeros(many + 1, dtype=torch.long), torch.tensor([0, 1])], 2, "test")
    assert counts.transitions.tolist() == [[many, 1], [0, 0]]


def test_what_cannot_be_asked_of_a_model() -> None:
    even = torch.tensor([0.5, 0.5])
    model = HMM(even, even.expand(2, 2), Categorical(even.expand(2, 2)))
    with pytest.raises(UsageError, match=r"states are \[2\], wanted some of 0 to 1"):
        model.align(torch.tensor([0, 1]), torch.tensor([2]))
    with pytest.raises(UsageError, match=r"states are \[\]"):
        model.align(torch.tensor([0, 1]), torch.tensor([], dtype=torch.long))
    apart = HMM(even, torch.eye(2), Categorical(even.expand(2, 2)))
    with pytest.raises(UsageError, match=r"HMM.align: the 2 steps have no way through the states \[0, 1\]"):
        apart.align(torch.tensor([0, 1]), torch.tensor([0, 1]))
    for wrong in (-1.0, float("nan"), float("inf")):
        with pytest.raises(UsageError, match=r"HMM.baum_welch: smoothing is .*, wanted a finite number, 0 or more"):
            model.baum_welch([torch.tensor([0])], smoothing=wrong)
        with pytest.raises(UsageError, match=r"HMM\.counted: smoothing is"):
            HMM.counted([torch.tensor([0])], [torch.tensor([0])], model.emission, smoothing=wrong)
    table, step = torch.full((2, 2), 0.5), torch.tensor([0, 1])
    half: Any = [0.5, 0.5]
    steps: Any = [0, 1]
    one: Any = step
    for make, message in (
        (lambda: HMM(half, table, Categorical(table)), "HMM: start are a list, wanted a tensor"),
        (lambda: Categorical(half), "Categorical: probabilities are a list"),
        (lambda: HMM.counted([steps], [step], model.emission), "HMM.counted: observed are not a list of tensors"),
        (lambda: HMM.counted([step], [steps], model.emission), "HMM.counted: states are not a list of tensors"),
        (lambda: HMM.counted([step], [step, step], model.emission), "1 sequences are observed, .* states of 2"),
        (lambda: HMM.counted([step], [step + 5], model.emission), "HMM.counted: path 0 has states between 5 and 6"),
        (lambda: model.baum_welch(one), "HMM.baum_welch: observed are not a list of tensors"),
        (lambda: model.baum_welch([step], rounds=0), "rounds is 0, wanted 1 or more"),
        (lambda: model.align(step, steps), "HMM.align: observed and states are not a list of tensors"),
    ):
        with pytest.raises(UsageError, match=message):
            make()
    with pytest.raises(ShapeError, match=r"observed is \(1, 1, 2\) .* wanted integers \(B, T\)"):
        model.align(step[None], step)
    with pytest.raises(UsageError, match="no step to learn from"):
        model.baum_welch([torch.tensor([], dtype=torch.long)])
    with pytest.raises(UsageError, match="symbols lie between 2 and 2, wanted 0 to 1"):
        HMM.counted([torch.tensor([2])], [torch.tensor([0])], model.emission)
    with pytest.raises(ShapeError, match="observed has 5 features in its last axis, 3 were wanted"):
        HMM.counted([torch.zeros(1, 5)], [torch.tensor([0])], Gaussian(torch.zeros(2, 3), torch.ones(2, 3)))
    with pytest.raises(UsageError, match="no path to count"):
        HMM.counted([], [], model.emission)
    never = HMM(even, even.expand(2, 2), Categorical(torch.tensor([[1.0, 0.0], [1.0, 0.0]])))
    with pytest.raises(UsageError, match="sequence 1 is impossible"):
        never.baum_welch([torch.tensor([0]), torch.tensor([0, 1])])
    with pytest.raises(UsageError, match="the prior of state 1 is 0"):
        Posteriors(torch.tensor([1.0, 0.0]))
    with pytest.raises(ShapeError, match=r"means are \(2,\)"):
        Gaussian(torch.zeros(2), torch.ones(2))
    with pytest.raises(UsageError, match="the covariance of state 1 is not positive"):
        Gaussian(torch.zeros(2, 2), torch.tensor([[1.0, 1.0], [1.0, -1.0]]))
    with pytest.raises(UsageError, match="the covariance of state 0 is not positive definite"):
        Gaussian(torch.zeros(1, 2), torch.ones(1, 2, 2))


def test_a_networks_posteriors_over_the_priors() -> None:
    torch.manual_seed(0)
    posteriors, priors = torch.softmax(torch.randn(2, 5, 3), -1), torch.tensor([0.5, 0.3, 0.2])
    torch.testing.assert_close(Posteriors(priors).log_prob(posteriors.log()), (posteriors / priors).log())
    with pytest.raises(ShapeError, match=r"Posteriors: observed has 3 features in its last axis, 2 were wanted"):
        Posteriors(torch.tensor([0.5, 0.5])).log_prob(posteriors.log())


def test_a_network_is_aligned_and_its_transitions_learned() -> None:
    """Log-posteriors from Bayes' rule over a categorical emission: the same model, said in the network's way."""
    start, transitions, table = shares(3, seed=1), shares(3, 3, seed=2), shares(3, 5, seed=3)
    priors, symbols = shares(3, seed=4), sequences(12, 7, symbols=5)
    said = [(table.T[steps] * priors).log().log_softmax(-1) for steps in symbols]
    network, plain = HMM(start, transitions, Posteriors(priors)), HMM(start, transitions, Categorical(table))
    states = torch.tensor([2, 0, 1])
    assert network.align(said[0], states).tolist() == plain.align(symbols[0], states).tolist()
    assert network.viterbi(said[0][None])[0].tolist() == plain.viterbi(symbols[0][None])[0].tolist()
    (learned, _), (wanted, _) = (
        model.baum_welch(seen, rounds=1) for model, seen in ((network, said), (plain, symbols))
    )
    torch.testing.assert_close(learned.transitions, wanted.transitions)
    counted = HMM.counted(said, [torch.tensor([0, 1, 1] * 4), torch.tensor([2] * 7)], network.emission, smoothing=1.0)
    assert isinstance(counted.emission, Posteriors)
    torch.testing.assert_close(counted.emission.priors, torch.tensor([5, 9, 8], dtype=torch.float64) / 22)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Categorical(torch.ones(2, 3)), UsageError, "are no probabilities"),
        (
            lambda: HMM(torch.ones(1), torch.ones(1, 1), Categorical(torch.full((2, 3), 1 / 3))),
            ShapeError,
            "do not fit an emission of 2 states",
        ),
        (lambda: Gaussian(torch.zeros(2, 3), torch.ones(2)), ShapeError, "Give one covariance for each state"),
        (lambda: Categorical(torch.ones(1, 1)).log_prob(torch.tensor([[1]])), UsageError, "lie between 1 and 1"),
        (lambda: Categorical(torch.ones(1, 1)).log_prob(torch.tensor([[1.0]])), ShapeError, "wanted integers"),
        (lambda: Gaussian(torch.zeros(2, 3), torch.ones(2, 3)).log_prob(torch.zeros(1, 3)), ShapeError, "D=3"),
        (
            lambda: HMM.counted([torch.tensor([0])], [torch.tensor([0, 0])], Categorical(torch.ones(1, 1))),
            UsageError,
            "sequence 0 has 1 steps and 2 states",
        ),
    ],
)
def test_what_does_not_fit_is_refused(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()
