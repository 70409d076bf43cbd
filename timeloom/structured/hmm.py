"""The hidden Markov model: counts, Baum-Welch, Viterbi, forced alignment, over symbols, vectors, or a network."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor

from timeloom.chain import Chain
from timeloom.core import Padded, ShapeError, UsageError


class Emission(ABC):
    """How likely each of K states makes what is observed at a step."""

    states: int

    @abstractmethod
    def log_prob(self, observed: Tensor) -> Tensor:
        """Observations (B, T) or (B, T, D) → log of their probability or density in each state (B, T, K)."""

    @abstractmethod
    def fitted(self, observed: Tensor, shares: Tensor, smoothing: float) -> Self:
        """The most likely emission where step n, observed (N,) or (N, D), belongs to each state by `shares` (N, K)."""


class Categorical(Emission):
    """Symbols 0 to V - 1.

    Args:
        probabilities: (K, V), rows that sum to 1.
    """

    def __init__(self, probabilities: Tensor):
        check_rows(probabilities, "Categorical: probabilities", 2)
        self.probabilities = probabilities
        self.states = len(probabilities)

    def log_prob(self, observed: Tensor) -> Tensor:
        if observed.is_floating_point() or observed.dim() != 2:
            raise ShapeError(
                f"Categorical: observed is {tuple(observed.shape)} of {observed.dtype}, wanted integers (B, T).\n"
                "  Give the number of a symbol for each step."
            )
        if observed.numel() and not 0 <= int(observed.min()) <= int(observed.max()) < self.probabilities.shape[1]:
            raise UsageError(
                f"Categorical: the symbols lie between {int(observed.min())} and {int(observed.max())}, "
                f"wanted 0 to {self.probabilities.shape[1] - 1}"
            )
        return self.probabilities.log().T[observed]

    def fitted(self, observed: Tensor, shares: Tensor, smoothing: float) -> Self:
        counts = shares.new_zeros(self.probabilities.shape[1], shares.shape[1]).index_add(0, observed, shares).T
        return type(self)(normal(counts + smoothing, self.probabilities))


class Gaussian(Emission):
    """Vectors of D numbers, each state with a mean and a covariance.

    Args:
        means: (K, D).
        covariances: (K, D, D), or (K, D) for the variances alone.
        floor: What is added to every variance when it is fitted, so that no state shrinks to a point.
    """

    def __init__(self, means: Tensor, covariances: Tensor, floor: float = 1e-3):
        K, D = means.shape
        if covariances.shape not in ((K, D), (K, D, D)):
            raise ShapeError(
                f"Gaussian: covariances are {tuple(covariances.shape)} beside means (K={K}, D={D}).\n"
                f"  wanted: {(K, D, D)}, or {(K, D)} for the variances alone\n"
                "  Give one covariance for each state."
            )
        self.means, self.covariances, self.floor = means, covariances, floor
        self.states = K

    def log_prob(self, observed: Tensor) -> Tensor:
        D = self.means.shape[1]
        if observed.dim() != 3 or observed.shape[-1] != D:
            raise ShapeError(
                f"Gaussian: observed is {tuple(observed.shape)}, wanted (B, T, D={D}).\n  Give a vector for each step."
            )
        away = observed[..., None, :] - self.means  # (B, T, K, D)
        if self.covariances.dim() == 2:
            squares, logs = (away.square() / self.covariances).sum(-1), self.covariances.log().sum(-1)
        else:
            factor = torch.linalg.cholesky(self.covariances)  # (K, D, D)
            whitened = torch.linalg.solve_triangular(factor, away[..., None], upper=False)[..., 0]
            squares = whitened.square().sum(-1)
            logs = 2 * factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        return -0.5 * (squares + logs + D * math.log(2 * math.pi))

    def fitted(self, observed: Tensor, shares: Tensor, smoothing: float) -> Self:
        weights = normal(shares.T, torch.full_like(shares.T, 1 / max(1, len(shares))))  # (K, N)
        means = weights @ observed
        away = observed - means[:, None]  # (K, N, D)
        if self.covariances.dim() == 2:
            return type(self)(means, torch.einsum("kn,knd->kd", weights, away.square()) + self.floor, self.floor)
        spread = torch.einsum("kn,knd,kne->kde", weights, away, away)
        return type(self)(means, spread + self.floor * torch.eye(away.shape[-1]).to(spread), self.floor)


class HMM:
    """States that follow each other by chance, each making what is observed at its step.

    Args:
        start: (K,) probability of each state to begin with.
        transitions: (K, K) probability of going from the state of a row to that of a column.
        emission: What the states make.
    """

    def __init__(self, start: Tensor, transitions: Tensor, emission: Emission):
        check_rows(start, "HMM: start", 1)
        check_rows(transitions, "HMM: transitions", 2)
        K = emission.states
        if start.shape != (K,) or transitions.shape != (K, K):
            raise ShapeError(
                f"HMM: start {tuple(start.shape)} and transitions {tuple(transitions.shape)} do not fit an emission of "
                f"{K} states.\n  wanted: {(K,)} and {(K, K)}\n  Build all three for the same states."
            )
        self.start, self.transitions, self.emission = start, transitions, emission

    @classmethod
    def counted(
        cls, observed: Sequence[Tensor], states: Sequence[Tensor], emission: Emission, smoothing: float = 1.0
    ) -> HMM:
        """The model of sequences whose states are known, by counting; `smoothing` is added to every count.

        `emission` says what kind of emission is fitted; its numbers are not looked at.
        """
        K = emission.states
        start, transitions = torch.full((K,), smoothing), torch.full((K, K), smoothing)
        for number, (seen, path) in enumerate(zip(observed, states, strict=True)):
            if len(seen) != len(path):
                raise UsageError(f"HMM.counted: sequence {number} has {len(seen)} steps and {len(path)} states")
            if len(path):
                start[path[0]] += 1
                transitions.index_put_((path[:-1], path[1:]), torch.ones(len(path) - 1), accumulate=True)
        shares = torch.nn.functional.one_hot(torch.cat(list(states)), K).float()
        even = torch.full((K,), 1 / K)
        return cls(
            normal(start, even),
            normal(transitions, even.expand(K, K)),
            emission.fitted(torch.cat(list(observed)), shares, smoothing),
        )

    def chain(self, observed: Tensor, lengths: Tensor | None = None) -> Chain:
        """The chain over the states of observations (B, T) or (B, T, D); its partition is their log-likelihood."""
        emissions = self.emission.log_prob(observed)
        return Chain(emissions, self.transitions.log().to(emissions), self.start.log().to(emissions), lengths=lengths)

    def log_likelihood(self, observed: Tensor, lengths: Tensor | None = None) -> Tensor:
        """log of the probability or density of each sequence (B,)."""
        return self.chain(observed, lengths).partition()

    def viterbi(self, observed: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The most likely states (B, T), -1 after each end, and log of their probability with the observations (B,)."""
        return self.chain(observed, lengths).best_path()

    def baum_welch(
        self, observed: Sequence[Tensor], rounds: int = 100, tolerance: float = 1e-4, smoothing: float = 0.0
    ) -> tuple[HMM, list[float]]:
        """A model that makes the observations more likely, and the log-likelihood before each round and after the last.

        Stops after `rounds`, or once a round gains less than `tolerance`. The expected counts are the gradient of the
        log-likelihood with respect to the log-probabilities, so forward-backward is written nowhere.
        """
        batch = Padded.from_list(list(observed))
        inside = batch.mask()
        model, said = self, [float(self.log_likelihood(batch.data, batch.lengths).sum())]
        for _ in range(rounds):
            emissions = model.emission.log_prob(batch.data).requires_grad_()
            start, transitions = model.start.log().to(emissions), model.transitions.log().to(emissions)
            leaves = [emissions, start.requires_grad_(), transitions.requires_grad_()]
            total = Chain(emissions, transitions, start, lengths=batch.lengths).partition().sum()
            shares, begun, gone = torch.autograd.grad(total, leaves)
            model = HMM(
                normal(begun + smoothing, model.start),
                normal(gone + smoothing, model.transitions),
                model.emission.fitted(batch.data[inside], shares[inside], smoothing),
            )
            said.append(float(model.log_likelihood(batch.data, batch.lengths).sum()))
            if said[-1] - said[-2] < tolerance:
                break
        return model, said

    def align(self, observed: Tensor, states: Tensor) -> Tensor:
        """Forced alignment: observations (T,) or (T, D) that pass through given states (N,), in order → (T,), for each
        step the place in `states` that it belongs to. Every state has a step at least.

        Raises UsageError where there are fewer steps than states, or no way through them.
        """
        emissions = self.emission.log_prob(observed[None])[:, :, states]  # (1, T, N)
        N, forbidden = len(states), -torch.inf
        logs = self.transitions.log().to(emissions)
        moves = emissions.new_full((N, N), forbidden)
        moves.diagonal().copy_(logs[states, states])
        if N > 1:
            moves.diagonal(1).copy_(logs[states[:-1], states[1:]])
        start, end = emissions.new_full((N,), forbidden), emissions.new_full((N,), forbidden)
        start[0], end[-1] = self.start.log()[states[0]], 0.0
        return Chain(emissions, moves, start, end).best_path()[0][0]


def scaled_likelihoods(log_posteriors: Tensor, priors: Tensor) -> Tensor:
    """What a network's log-posteriors of states (..., K) say about the observations: log p(x | s), up to a number that
    no state changes.

    By Bayes' rule log p(s | x) - log p(s): the hybrid of network and hidden Markov model (Bourlard and Morgan 1994).
    `priors` (K,) are the shares of the states in the training data.
    """
    check_rows(priors, "scaled_likelihoods: priors", 1)
    return log_posteriors - priors.log().to(log_posteriors)


def normal(counts: Tensor, otherwise: Tensor) -> Tensor:
    """Counts (..., K) as shares that sum to 1; where there are none, what stood there before."""
    total = counts.sum(-1, keepdim=True)
    return torch.where(total > 0, counts / torch.where(total > 0, total, 1.0), otherwise.to(counts))


def check_rows(probabilities: Tensor, what: str, axes: int) -> None:
    """Raise a UsageError unless these are probabilities that sum to 1 in their last axis."""
    sums = probabilities.sum(-1)
    if probabilities.dim() != axes or not (probabilities >= 0).all() or not torch.allclose(sums, torch.ones_like(sums)):
        raise UsageError(
            f"{what} {tuple(probabilities.shape)} are no probabilities; wanted {axes} "
            f"{'axis' if axes == 1 else 'axes'}, none below 0, and a sum of 1 in the last"
        )
