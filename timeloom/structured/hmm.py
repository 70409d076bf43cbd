"""The hidden Markov model: counts, Baum-Welch, Viterbi, forced alignment; what it observes is its emission's affair."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from timeloom.chain import Chain
from timeloom.core import Padded, ShapeError, UsageError
from timeloom.structured.counts import check_rows, check_sequences, check_smoothing, counts_of, normalised
from timeloom.structured.emissions import Emission


class HMM:
    """States that follow each other by chance, each making what is observed at its step.

    Args:
        start: (K,) probability of each state to begin with.
        transitions: (K, K) probability of going from the state of a row to that of a column.
        emission: What the states make.

    Raises UsageError for what are no probabilities, ShapeError where the three do not fit each other.

    Source: Rabiner 1989, A Tutorial on Hidden Markov Models.
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
        """The model of sequences whose states are known, by counting.

        Args:
            observed: For each sequence (T,) symbols, (T, D) vectors, or (T, K) log-posteriors.
            states: For each sequence its states (T,), integers from 0 to K - 1.
            emission: Of the kind that is to be fitted, with as many states; what it holds is not looked at.
            smoothing: Added to every count. A Gaussian has no counts, but a floor for its variances; a state of it that
                never occurs gets the mean and the spread of all steps.

        Raises UsageError where the two do not fit each other, or there is nothing to count.
        """
        check_smoothing(smoothing, "HMM.counted")
        check_sequences(observed, "HMM.counted: observed")
        if len(observed) != len(states):
            raise UsageError(
                f"HMM.counted: {len(observed)} sequences are observed, and there are states of {len(states)}"
            )
        counts = counts_of(states, emission.states, "HMM.counted")
        for number, (seen, path) in enumerate(zip(observed, states, strict=True)):
            if len(seen) != len(path):
                raise UsageError(f"HMM.counted: sequence {number} has {len(seen)} steps and {len(path)} states")
        K, dtype = emission.states, emission.dtype
        even = torch.full((K,), 1 / K, dtype=dtype)
        shares = torch.nn.functional.one_hot(torch.cat(list(states)).long(), K).to(dtype)
        return cls(
            normalised((counts.start + smoothing).to(dtype), even),
            normalised((counts.transitions + smoothing).to(dtype), even.expand(K, K)),
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

        Stops after `rounds`, or once a round gains less than `tolerance`. Smoothing, or the floor of a Gaussian, may
        make a round lose; the likeliest model of all rounds is given. The expected counts are the gradient of the
        log-likelihood with respect to the log-probabilities, so forward-backward is written nowhere.

        Source: Baum, Petrie, Soules and Weiss 1970; Rabiner 1989, A Tutorial on Hidden Markov Models.

        Raises UsageError where no sequence has a step, or one is impossible for the model to begin with.
        """
        check_smoothing(smoothing, "HMM.baum_welch")
        check_sequences(observed, "HMM.baum_welch: observed")
        if rounds < 1:
            raise UsageError(f"HMM.baum_welch: rounds is {rounds}, wanted 1 or more")
        if not any(map(len, observed)):
            raise UsageError("HMM.baum_welch: there is no step to learn from, in any sequence")
        with torch.inference_mode(False), torch.enable_grad():
            return self._climbed(Padded.from_list([steps.clone() for steps in observed]), rounds, tolerance, smoothing)

    def _climbed(self, batch: Padded, rounds: int, tolerance: float, smoothing: float) -> tuple[HMM, list[float]]:
        inside = batch.mask()
        best = model = self
        history = [float(self.log_likelihood(batch.data, batch.lengths).sum())]
        if history[0] == -math.inf:
            b = int((self.log_likelihood(batch.data, batch.lengths) == -math.inf).nonzero()[0])
            raise UsageError(
                f"HMM.baum_welch: sequence {b} is impossible for the model to begin with, so nothing can be climbed.\n"
                "  Begin with probabilities above 0."
            )
        for _ in range(rounds):
            emissions = model.emission.log_prob(batch.data)
            scores = [emissions, model.start.log().to(emissions), model.transitions.log().to(emissions)]
            leaves = [part.detach().clone().requires_grad_() for part in scores]
            emissions, start, transitions = leaves
            total = Chain(emissions, transitions, start, lengths=batch.lengths).partition().sum()
            of_states, of_starts, of_transitions = torch.autograd.grad(total, leaves)  # the expected counts
            model = HMM(
                normalised(of_starts + smoothing, model.start),
                normalised(of_transitions + smoothing, model.transitions),
                model.emission.fitted(batch.data[inside], of_states[inside], smoothing),
            )
            history.append(float(model.log_likelihood(batch.data, batch.lengths).sum()))
            if history[-1] == max(history):
                best = model
            if history[-1] - history[-2] < tolerance:
                break
        return best, history

    def align(self, observed: Tensor, states: Tensor) -> Tensor:
        """Forced alignment: observations (T,) or (T, D) that pass through given states (N,), in order → (T,), for each
        step the place in `states` that it belongs to. Every state has a step at least.

        Raises UsageError where there are fewer steps than states, or no way through them.
        """
        check_sequences([observed, states], "HMM.align: observed and states")
        every = self.emission.log_prob(observed[None])  # (1, T, K); it knows what a step of it looks like
        if states.dim() != 1 or not len(states) or not 0 <= int(states.min()) <= int(states.max()) < len(self.start):
            raise UsageError(f"HMM.align: states are {states.tolist()}, wanted some of 0 to {len(self.start) - 1}")
        if len(observed) < len(states):
            raise UsageError(f"HMM.align: {len(observed)} steps cannot pass through {len(states)} states")
        emissions = every[:, :, states]  # (1, T, N)
        N, forbidden = len(states), -torch.inf
        logs = self.transitions.log().to(emissions)
        moves = emissions.new_full((N, N), forbidden)
        moves.diagonal().copy_(logs[states, states])
        if N > 1:
            moves.diagonal(1).copy_(logs[states[:-1], states[1:]])
        start, end = emissions.new_full((N,), forbidden), emissions.new_full((N,), forbidden)
        start[0], end[-1] = self.start.log()[states[0]], 0.0
        chain = Chain(emissions, moves, start, end)
        if chain.partition().isneginf().any():
            raise UsageError(
                f"HMM.align: the {len(observed)} steps have no way through the states {states.tolist()}: a transition "
                "between two of them, the first as a start, or what is observed has the probability 0"
            )
        return chain.best_path()[0][0]
