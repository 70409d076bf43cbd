"""What the states of a hidden Markov model make: symbols, vectors, or what a network takes them for."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Self

import torch
from torch import Tensor

from timeloom.core import ShapeError, UsageError, check_last_axis
from timeloom.structured.counts import check_rows, normalised

EACH_STEP = "Give a vector for each step."


class Emission(ABC):
    """How likely each of K states makes what is observed at a step."""

    states: int
    dtype: torch.dtype

    @abstractmethod
    def log_prob(self, observed: Tensor) -> Tensor:
        """Observations (B, T) or (B, T, D) → log of their probability or density in each state (B, T, K)."""

    @abstractmethod
    def fitted(self, observed: Tensor, shares: Tensor, smoothing: float) -> Self:
        """The most likely emission where step n, observed (N,) or (N, D), belongs to each state by `shares` (N, K)."""


class Categorical(Emission):
    """Symbols 0 to V - 1, each state with a probability for each: observed are integers (B, T).

    Args:
        probabilities: (K, V), rows that sum to 1.

    Raises UsageError for what are no probabilities.
    """

    def __init__(self, probabilities: Tensor):
        check_rows(probabilities, "Categorical: probabilities", 2)
        self.probabilities = probabilities
        self.states, self.dtype = len(probabilities), probabilities.dtype

    def log_prob(self, observed: Tensor) -> Tensor:
        self._check(observed, "B T")
        return self.probabilities.log().T[observed]

    def fitted(self, observed: Tensor, shares: Tensor, smoothing: float) -> Self:
        self._check(observed, "N")
        counts = shares.new_zeros(self.probabilities.shape[1], shares.shape[1]).index_add(0, observed, shares).T
        return type(self)(normalised(counts + smoothing, self.probabilities))

    def _check(self, observed: Tensor, axes: str) -> None:
        if observed.is_floating_point() or observed.dim() != len(axes.split()):
            raise ShapeError(
                f"Categorical: observed is {tuple(observed.shape)} of {observed.dtype}, "
                f"wanted integers ({', '.join(axes.split())}).\n"
                "  Give the number of a symbol for each step."
            )
        if observed.numel() and not 0 <= int(observed.min()) <= int(observed.max()) < self.probabilities.shape[1]:
            raise UsageError(
                f"Categorical: the symbols lie between {int(observed.min())} and {int(observed.max())}, "
                f"wanted 0 to {self.probabilities.shape[1] - 1}"
            )


class Gaussian(Emission):
    """Vectors of D numbers, each state with a mean and a covariance: observed are (B, T, D).

    Args:
        means: (K, D).
        covariances: (K, D, D), or (K, D) for the variances alone.
        floor: What is added to every variance when it is fitted, so that no state shrinks to a point. Fitting knows no
            other smoothing; a state that no step belongs to gets the mean and the spread of all.

    Raises:
        ShapeError: The shapes do not fit each other.
        UsageError: A variance is not above 0, or a covariance not positive definite.
    """

    def __init__(self, means: Tensor, covariances: Tensor, floor: float = 1e-3):
        if means.dim() != 2:
            raise ShapeError(f"Gaussian: means are {tuple(means.shape)}, wanted (K, D).\n  Give one vector a state.")
        K, D = means.shape
        if covariances.shape not in ((K, D), (K, D, D)):
            raise ShapeError(
                f"Gaussian: covariances are {tuple(covariances.shape)} beside means (K={K}, D={D}).\n"
                f"  wanted: {(K, D, D)}, or {(K, D)} for the variances alone\n"
                "  Give one covariance for each state."
            )
        diagonal = covariances.dim() == 2
        good = (covariances > 0).all(-1) if diagonal else torch.linalg.cholesky_ex(covariances).info == 0
        if not good.all():
            raise UsageError(
                f"Gaussian: the covariance of state {int((~good).nonzero()[0])} is not positive"
                f"{'' if diagonal else ' definite'}; a variance of 0 would make its density infinite"
            )
        self.means, self.covariances, self.floor = means, covariances, floor
        self.states, self.dtype = K, means.dtype

    def log_prob(self, observed: Tensor) -> Tensor:
        D = self.means.shape[1]
        check_last_axis(observed, D, owner="Gaussian", what="observed", names="B T D", advice=EACH_STEP)
        away = observed.to(self.dtype)[..., None, :] - self.means  # (B, T, K, D)
        if self.covariances.dim() == 2:
            squares, logs = (away.square() / self.covariances).sum(-1), self.covariances.log().sum(-1)
        else:
            factor = torch.linalg.cholesky(self.covariances)  # (K, D, D)
            whitened = torch.linalg.solve_triangular(factor, away[..., None], upper=False)[..., 0]
            squares = whitened.square().sum(-1)
            logs = 2 * factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        return -0.5 * (squares + logs + D * math.log(2 * math.pi))

    def fitted(self, observed: Tensor, shares: Tensor, smoothing: float) -> Self:
        D = self.means.shape[1]
        check_last_axis(observed, D, owner="Gaussian", what="observed", names="N D", advice=EACH_STEP)
        observed = observed.to(shares.dtype)
        weights = normalised(shares.T, torch.full_like(shares.T, 1 / max(1, len(shares))))  # (K, N)
        means = weights @ observed
        away = observed - means[:, None]  # (K, N, D)
        if self.covariances.dim() == 2:
            return type(self)(means, torch.einsum("kn,knd->kd", weights, away.square()) + self.floor, self.floor)
        spread = torch.einsum("kn,knd,kne->kde", weights, away, away)
        return type(self)(means, spread + self.floor * torch.eye(away.shape[-1]).to(spread), self.floor)


class Posteriors(Emission):
    """What a network says of each step, log p(state | x): the hybrid of network and hidden Markov model.

    What is observed are log-posteriors (B, T, K). By Bayes' rule p(x | s) is p(s | x) / p(s), up to a number that no
    state changes: the log-likelihood of a sequence is then right up to a number that only the sequence decides, and may
    lie above 0.

    Source: Bourlard and Morgan 1994, Connectionist Speech Recognition.

    Args:
        priors: (K,) the shares of the states in what the network was trained on, none of them 0. Fitting takes them
            anew from the steps; the network is not its to fit.
    """

    def __init__(self, priors: Tensor):
        check_rows(priors, "Posteriors: priors", 1)
        if not (priors > 0).all():
            raise UsageError(
                f"Posteriors: the prior of state {int((priors <= 0).nonzero()[0])} is 0, so nothing can be divided by "
                "it; smooth the counts"
            )
        self.priors, self.states, self.dtype = priors, len(priors), priors.dtype

    def log_prob(self, observed: Tensor) -> Tensor:
        advice = "Give a log-posterior for each state at each step."
        check_last_axis(observed, self.states, owner="Posteriors", what="observed", names="B T K", advice=advice)
        return observed - self.priors.log().to(observed)

    def fitted(self, observed: Tensor, shares: Tensor, smoothing: float) -> Self:
        return type(self)(normalised(shares.sum(0) + smoothing, self.priors))
