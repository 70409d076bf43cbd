"""The chain's digits: large scores, long sequences, terms that underflow, half precision."""

from __future__ import annotations

import pytest
import torch

from timeloom.chain import Chain
from timeloom.chain import forward as forward_module

far_apart = pytest.mark.filterwarnings("ignore:Chain. scores lie so far apart")


@far_apart
@pytest.mark.parametrize("scale", [30.0, 1e4])
def test_large_scores_in_float32_are_as_in_float64(scale: float) -> None:
    torch.manual_seed(0)
    parts = [(scale * torch.randn(sizes)).requires_grad_() for sizes in ((4, 20, 9), (9, 9), (9,), (9,))]
    lengths = torch.tensor([20, 7, 1, 13])
    single = Chain(*parts, lengths=lengths)
    double = Chain(*(part.double() for part in parts), lengths=lengths)
    torch.testing.assert_close(single.partition().double(), double.partition(), rtol=1e-6, atol=0)
    path = single.best_path()[0]
    assert torch.equal(path, double.best_path()[0])
    with torch.no_grad():
        eps = 2e-6 * scale  # what float32 knows of a sum of twenty scores of this size
        torch.testing.assert_close(single.marginals().double(), double.marginals(), rtol=0, atol=eps)
        torch.testing.assert_close(single.pair_marginals().double(), double.pair_marginals(), rtol=0, atol=eps)
        torch.testing.assert_close(single.entropy().double(), double.entropy(), rtol=0, atol=eps)
        torch.testing.assert_close(single.log_prob(path).double(), double.log_prob(path), rtol=0, atol=4 * eps)
        assert torch.equal(single.k_best(1)[0][:, 0], path)
        if scale == 1e4:  # one path has all the probability, but where two are very close
            assert float((single.sample(20)[:, :1] == path[:1]).double().mean()) == 1
    for one, other in zip(
        torch.autograd.grad(single.partition().sum(), parts),
        torch.autograd.grad(double.partition().sum(), parts),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=0, atol=scale * 4e-6)


@pytest.mark.parametrize("offset", [1e4, -1e4])
def test_long_sequences_of_large_scores_lose_no_digits(offset: float) -> None:
    """The scores differ by about 1, and lie far from 0: sums of 500 of them leave float32 no digit for that."""
    torch.manual_seed(0)
    emissions, transitions = offset + torch.randn(5, 500, 9), torch.randn(9, 9)
    single, double = Chain(emissions, transitions), Chain(emissions.double(), transitions.double())
    path = double.best_path()[0]
    assert torch.equal(single.best_path()[0], path)
    assert torch.equal(single.k_best(1)[0][:, 0], path)
    given = torch.randint(9, (5, 500))
    torch.testing.assert_close(single.log_prob(given).double(), double.log_prob(given), rtol=0, atol=5e-3)
    torch.testing.assert_close(single.entropy().double(), double.entropy(), rtol=1e-5, atol=0)
    torch.testing.assert_close(single.marginals().double(), double.marginals(), rtol=0, atol=1e-4)


@far_apart
def test_a_path_that_only_an_unlikely_tag_leads_to() -> None:
    # Tag 1 leads to tag 2, and tag 0, which is better by exp(200), does not: in float32 exp(-200) is 0.
    emissions = torch.tensor([[[200.0, 0.0, 0.0], [-torch.inf, -torch.inf, 1.0]]])
    transitions = torch.tensor([[0.0, 0.0, -torch.inf], [0.0, 0.0, 0.0], [0.0, 0.0, -torch.inf]])
    chain = Chain(emissions, transitions)
    assert chain.partition().item() == pytest.approx(1.0)
    assert chain.best_path()[0].tolist() == [[1, 2]]
    torch.testing.assert_close(chain.marginals(), torch.tensor([[[0.0, 1, 0], [0, 0, 1]]]))
    assert chain.sample(3).tolist() == [[[1, 2]]] * 3


@far_apart
@pytest.mark.parametrize("second", [-60.0, -84.0, -85.0, -86.0, -86.8, -102.0])
def test_terms_that_underflow_are_counted_where_they_count(second: float) -> None:
    """Tag 0 leads nowhere but to itself, which the second step forbids: the rest of the sum is all there is of it."""
    emissions = torch.full((1, 2, 301), second - 1.5)
    emissions[0, 0, 0], emissions[0, 0, 1] = 0.0, second
    emissions[0, 1, 0] = -torch.inf
    transitions = torch.zeros(301, 301)
    transitions[0, 1:] = -torch.inf
    single = Chain(emissions.requires_grad_(), transitions)
    double = Chain(emissions.double(), transitions.double())
    torch.testing.assert_close(single.partition().double(), double.partition(), rtol=1e-6, atol=0)
    with torch.no_grad():
        torch.testing.assert_close(single.marginals().double(), double.marginals(), rtol=1e-4, atol=0)


def test_sums_that_are_done_again_are_said_once(recwarn: pytest.WarningsRecorder) -> None:
    forward_module.warn_once.cache_clear()
    emissions = torch.tensor([[[200.0, 0.0], [-torch.inf, 1.0]]])
    chain = Chain(emissions, torch.tensor([[0.0, -torch.inf], [0.0, 0.0]]))
    for _ in range(2):
        assert chain.partition().item() == pytest.approx(1.0)
    assert [str(warning.message)[:36] for warning in recwarn] == ["Chain: scores lie so far apart that "]
    assert recwarn[0].filename == __file__


def test_the_native_best_path_keeps_digits_beside_large_transitions() -> None:
    torch.manual_seed(0)
    emissions, transitions = torch.randn(3, 500, 9), 1e4 + torch.randn(9, 9)
    wanted = Chain(emissions.double(), transitions.double()).best_path()[0]
    assert torch.equal(Chain(emissions, transitions).best_path()[0], wanted)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_float32(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    halves = [torch.randn(sizes).to(dtype).requires_grad_() for sizes in ((3, 20, 9), (9, 9), (9,), (9,))]
    wholes = [part.detach().float().requires_grad_() for part in halves]
    ours, wanted = Chain(*halves), Chain(*wholes)
    path = wanted.best_path()[0]
    assert torch.equal(ours.best_path()[0], path)
    assert torch.equal(ours.log_prob(path), wanted.log_prob(path))
    ours.log_prob(path).sum().backward()
    wanted.log_prob(path).sum().backward()
    for half, whole in zip(halves, wholes, strict=True):
        assert half.grad is not None
        assert whole.grad is not None
        assert torch.equal(half.grad, whole.grad.to(dtype))


def test_autocast_takes_no_digits() -> None:
    torch.manual_seed(0)
    parts = [torch.randn(sizes, requires_grad=True) for sizes in ((3, 20, 9), (9, 9), (9,), (9,))]
    wanted = torch.autograd.grad(Chain(*parts).partition().sum(), parts)
    with torch.autocast("cpu", torch.bfloat16):
        sums = Chain(*parts).partition().sum()
        with torch.no_grad():
            marginals = Chain(*parts).marginals()
            sampled = Chain(*parts).sample(2, torch.Generator().manual_seed(1))
    torch.testing.assert_close(marginals, wanted[0])
    assert torch.equal(sampled, Chain(*parts).sample(2, torch.Generator().manual_seed(1)))
    for one, other in zip(torch.autograd.grad(sums, parts), wanted, strict=True):
        assert torch.equal(one, other)
