"""A linear chain of tags: one recursion, and every question one can ask of it."""

from __future__ import annotations

import torch
from torch import Tensor

from timeloom.chain.best import best_tags
from timeloom.chain.fold import all_paths, best_paths, largest
from timeloom.chain.forward import log_alphas, log_partition
from timeloom.core import ShapeError, UsageError, check_lengths, step_mask


class Chain:
    """All sequences of tags of each sentence, each with a score: what its tags and its transitions score, added up.

    The probability of a path is exp(score) / sum of exp(score) over all paths: a linear-chain conditional random field
    (Lafferty et al. 2001). A score of -inf forbids, exactly. Sequences of a batch may have any lengths; an empty
    one has one path, the empty one.

    Args:
        emissions: (B, T, K) score of each tag at each step; what stands after a sequence's end is not looked at. Scores
            in half precision are computed with, and answered, in float32.
        transitions: (K, K) score of going from the tag of a row to the tag of a column.
        start: (K,) score of beginning with each tag; zeros without.
        end: (K,) score of ending with each tag; zeros without.
        lengths: (B,) integers from 0 to T; all T without.

    Raises:
        ShapeError: The arguments do not fit each other.
        UsageError: A score is NaN or +inf; names the sentence and the step.
    """

    def __init__(
        self,
        emissions: Tensor,
        transitions: Tensor,
        start: Tensor | None = None,
        end: Tensor | None = None,
        lengths: Tensor | None = None,
    ):
        given = {"emissions": emissions, "transitions": transitions, "start": start, "end": end}
        for name, tensor in given.items():
            if not isinstance(tensor, Tensor) and (tensor is not None or name in ("emissions", "transitions")):
                raise ShapeError(
                    f"Chain: {name} are a {type(tensor).__name__}, wanted a tensor.\n"
                    "  Make it a tensor, as with torch.as_tensor."
                )
        if emissions.dim() != 3 or not emissions.is_floating_point() or emissions.shape[-1] == 0:
            raise ShapeError(
                f"Chain: emissions are {tuple(emissions.shape)} of {emissions.dtype}.\n"
                "  wanted: (B, T, K) numbers, K ≥ 1\n"
                "  Give a score for each of the K tags at each step of each sentence."
            )
        B, T, K = emissions.shape
        start = emissions.new_zeros(K) if start is None else start
        end = emissions.new_zeros(K) if end is None else end
        wanted = {"transitions": (transitions, (K, K)), "start": (start, (K,)), "end": (end, (K,))}
        for name, (tensor, shape) in wanted.items():
            if tensor.shape != shape or tensor.dtype != emissions.dtype or tensor.device != emissions.device:
                raise ShapeError(
                    f"Chain: {name} do not fit the emissions (B={B}, T={T}, K={K}).\n"
                    f"  {name}: {tuple(tensor.shape)} of {tensor.dtype} on {tensor.device}, wanted {shape} of "
                    f"{emissions.dtype} on {emissions.device}\n"
                    "  Give one score for each tag, and for each pair of tags, as numbers of the same kind."
                )
            if not (tensor < torch.inf).all():
                raise UsageError(f"Chain: {name} hold NaN or +inf; -inf forbids, every other score is a finite number")
        if lengths is None:
            lengths = torch.full((B,), T, device=emissions.device)
        else:
            lengths = torch.as_tensor(lengths, device=emissions.device)
            check_lengths(lengths, batch_size=B, steps=T, owner="Chain")
            lengths = lengths.long()
        if emissions.dtype in (torch.float16, torch.bfloat16):
            emissions, transitions, start, end = (part.float() for part in (emissions, transitions, start, end))
        if T == 0:  # one step that belongs to no sentence, so that nothing else need ask
            emissions = emissions.new_zeros(B, 1, K)
        self._steps = T
        self._inside = step_mask(lengths, emissions.shape[1])  # (B, T)
        if not self._inside.all():
            emissions = torch.where(self._inside[..., None], emissions, 0.0)
        if not (emissions < torch.inf).all():
            b, t = (~(emissions < torch.inf)).any(-1).nonzero()[0].tolist()
            raise UsageError(f"Chain: the emissions of sentence {b} hold NaN or +inf at step {t}, counted from 0")
        # The best tag of each step at 0: the same distribution, and differences of long sums lose fewer digits.
        most = largest(emissions, -1)
        self._lowered, self._lowered_by = emissions - most[..., None], most.sum(1)
        self.emissions, self.transitions, self.start, self.end, self.lengths = (
            emissions,
            transitions,
            start,
            end,
            lengths,
        )

    def partition(self) -> Tensor:
        """log of the sum of exp(score) over all paths, (B,); -inf where every path is forbidden.

        Its gradients cannot be differentiated again, as `marginals` can, but inside `timeloom.scan.plain_loop()`.
        """
        return self._lowered_partition() + self._lowered_by

    def score(self, path: Tensor) -> Tensor:
        """The score of given paths (B, T), or of n for each sentence (n, B, T) → (B,) or (n, B)."""
        return self._score(self.emissions, path)

    def _score(self, emissions: Tensor, path: Tensor) -> Tensor:
        path = self._checked(path)
        tags = torch.where(self._inside, path, 0)
        of_tags = emissions.expand(*tags.shape, -1).gather(-1, tags[..., None])[..., 0]
        total = torch.where(self._inside, of_tags, 0.0).sum(-1)
        steps = torch.where(self._inside[:, 1:], self.transitions[tags[..., :-1], tags[..., 1:]], 0.0)
        last = tags.gather(-1, (self.lengths - 1).clamp(min=0).expand(tags.shape[:-1])[..., None])[..., 0]
        return torch.where(self.lengths == 0, 0.0, total + steps.sum(-1) + self.start[tags[..., 0]] + self.end[last])

    def log_prob(self, path: Tensor) -> Tensor:
        """log of the probability of given paths, shaped as for `score`.

        Raises UsageError where every path of a sentence is forbidden.
        """
        partition = self._lowered_partition()
        self._must_be_possible(partition)
        return self._score(self._lowered, path) - partition

    def best_path(self) -> tuple[Tensor, Tensor]:
        """The path with the highest score (Viterbi): tags (B, T), -1 after each end, and the scores (B,).

        The scores can be differentiated. Raises UsageError where every path of a sentence is forbidden.
        """
        path = best_tags(*self._parts)[:, : self._steps]
        scores = self.score(path.clamp(min=0))
        self._must_be_possible(scores)
        return path, scores

    def k_best(self, k: int) -> tuple[Tensor, Tensor]:
        """The k paths with the highest scores, best first: tags (B, k, T) and scores (B, k).

        A sentence with fewer paths has scores of -inf and tags of -1 at the end. The scores can be differentiated.
        Raises UsageError where a sentence has no path.
        """
        if k < 1:
            raise UsageError(f"Chain.k_best: k is {k}, and must be 1 or more")
        path, found = best_paths(k, *(part.detach() for part in self._parts))
        path, there = path[:, :, : self._steps], found > -torch.inf
        there[self.lengths == 0] = torch.arange(k, device=there.device) == 0  # the empty path, once
        scores = self.score(path.clamp(min=0).transpose(0, 1)).T
        scores = torch.where(there, scores, -torch.inf)
        self._must_be_possible(scores[:, 0])
        return path, scores

    def marginals(self) -> Tensor:
        """The probability of each tag at each step (B, T, K), zero after each end.

        They can be differentiated: where a score requires a gradient, the recursion runs step by step in torch for it;
        under torch.no_grad it is many times as fast. Raises UsageError where every path of a sentence is forbidden.
        """
        graph = self._wants_gradients()
        with torch.inference_mode(False), torch.enable_grad():
            emissions, *rest = self._parts if graph else [part.detach().clone() for part in self._parts]
            emissions = leaf_or_node(emissions)
            sums = all_paths(emissions, *rest) if graph else log_partition(emissions, *rest)
            found = self._derivative(sums, emissions, graph)
        return torch.where(self._inside[..., None], found, 0.0)[:, : self._steps]

    def pair_marginals(self) -> Tensor:
        """The probability of each pair of neighbouring tags (B, T - 1, K, K), zero after each end; as `marginals`."""
        graph, K = self._wants_gradients(), len(self.start)
        with torch.inference_mode(False), torch.enable_grad():
            emissions, transitions, *rest = self._parts if graph else [part.detach().clone() for part in self._parts]
            of_each_step = leaf_or_node(transitions.expand(len(emissions), emissions.shape[1] - 1, K, K))
            found = self._derivative(all_paths(emissions, of_each_step, *rest), of_each_step, graph)
        return torch.where(self._inside[:, 1:, None, None], found, 0.0)

    def entropy(self) -> Tensor:
        """The entropy of the distribution over paths (B,), in nats; as `marginals`.

        By the chain rule: of the first tag, and then of each tag given the one before.
        """
        first, pairs = self.marginals()[:, :1], self.pair_marginals()
        before = pairs.sum(-1, keepdim=True)
        following = pairs / torch.where(before > 0, before, 1.0)
        return -of_logs(first, first).sum((1, 2)) - of_logs(pairs, following).sum((1, 2, 3))

    @torch.no_grad()
    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """n paths of each sentence, drawn with their probabilities: tags (n, B, T), -1 after each end.

        Raises UsageError where every path of a sentence is forbidden.
        """
        if n < 0:
            raise UsageError(f"Chain.sample: n is {n}, and must be 0 or more")
        self._must_be_possible(self.partition())
        alphas, B = log_alphas(*self._parts[:3], self.lengths), len(self.lengths)
        path = self.lengths.new_full((n, B, self._width), -1)
        following = self.lengths.new_zeros(n, B)
        for t in range(self._width - 1, -1, -1):
            inside, last = self._inside[:, t, None], (self.lengths == t + 1)[:, None]
            scores = alphas[:, t] + torch.where(last, self.end, self.transitions.T[following])
            chances = torch.softmax(torch.where(inside, scores, 0.0), -1).flatten(0, 1)
            if n * B:
                following = torch.multinomial(chances, 1, generator=generator).view(n, B)
            path[..., t] = torch.where(inside[:, 0], following, -1)
        return path[..., : self._steps]

    def least_risk_path(self) -> tuple[Tensor, Tensor]:
        """The allowed path on which the most tags are right in the mean: tags (B, T) as `best_path` gives them, and how
        many that are, (B,). Raises UsageError where every path of a sentence is forbidden.
        """
        allowed = [torch.where(part == -torch.inf, part, 0.0) for part in self._parts[1:4]]
        emissions = torch.where(self.emissions == -torch.inf, -torch.inf, self._padded(self.marginals()))
        return Chain(emissions[:, : self._steps], *allowed, lengths=self.lengths).best_path()

    def with_costs(self, costs: Tensor) -> Chain:
        """The same chain with costs (B, T, K) added to the scores, as a margin asks for: wrong tags score higher."""
        if costs.shape != (len(self.lengths), self._steps, len(self.start)):
            raise ShapeError(
                f"Chain.with_costs: costs are {tuple(costs.shape)}, "
                f"wanted {(len(self.lengths), self._steps, len(self.start))}.\n"
                "  Give one cost for each tag at each step of each sentence."
            )
        costs = costs.to(self.emissions.dtype)
        if not torch.where(self._inside[:, : self._steps, None], costs, 0.0).isfinite().all():
            raise UsageError("Chain.with_costs: the costs hold NaN or inf; wanted finite numbers")
        emissions = self.emissions[:, : self._steps] + costs
        return Chain(emissions, self.transitions, self.start, self.end, self.lengths)

    def _lowered_partition(self) -> Tensor:
        return torch.where(self.lengths == 0, 0.0, log_partition(*self._parts))

    @property
    def _parts(self) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        return self._lowered, self.transitions, self.start, self.end, self.lengths

    @property
    def _width(self) -> int:
        return self.emissions.shape[1]

    def _wants_gradients(self) -> bool:
        return torch.is_grad_enabled() and any(part.requires_grad for part in self._parts)

    def _derivative(self, sums: Tensor, of: Tensor, graph: bool) -> Tensor:
        """The gradient of the sums over all paths, which must not be empty of paths."""
        self._must_be_possible(torch.where(self.lengths == 0, 0.0, sums.detach()))
        if not sums.requires_grad:  # sentences of one word have no pairs
            return torch.zeros_like(of)
        return torch.autograd.grad(sums.sum(), of, create_graph=graph, materialize_grads=True)[0]

    def _must_be_possible(self, scores: Tensor) -> None:
        if (scores == -torch.inf).any():
            b = int((scores == -torch.inf).nonzero()[0])
            raise UsageError(
                f"Chain: every path of sentence {b} (counted from 0, of {len(scores)}) is forbidden.\n"
                "  Some step has no tag that may follow those before it: look at the scores of -inf in the "
                "transitions, the start, the end and its emissions."
            )

    def _padded(self, of_steps: Tensor) -> Tensor:
        """(B, T, K) with the one step of nobody that a batch without steps has."""
        return of_steps if self._steps else torch.zeros_like(self.emissions)

    def _checked(self, path: Tensor) -> Tensor:
        integers = not (path.is_floating_point() or path.dtype == torch.bool)
        if not integers or path.dim() not in (2, 3) or path.shape[-2:] != (len(self.lengths), self._steps):
            raise ShapeError(
                f"Chain: paths are {tuple(path.shape)} of {path.dtype}, wanted integers (B={len(self.lengths)}, "
                f"T={self._steps}), or n of them for each sentence (n, B, T).\n"
                "  Give the number of a tag for each step."
            )
        inside = self._inside[:, : self._steps]
        strange = inside & ((path < 0) | (path >= len(self.start)))
        if strange.any():
            *_, b, t = strange.nonzero()[0].tolist()
            raise UsageError(
                f"Chain: the path of sentence {b} has a tag at step {t} that is none of 0 to {len(self.start) - 1}"
            )
        path = path.long()
        return path if self._steps else path.new_zeros(*path.shape[:-1], 1)


def leaf_or_node(tensor: Tensor) -> Tensor:
    """The same numbers as a tensor that one can ask the gradient of, in the graph that they are in."""
    again = tensor + 0.0
    return again if again.requires_grad else again.requires_grad_()


def of_logs(shares: Tensor, chances: Tensor) -> Tensor:
    """shares · log(chances), and 0 with no gradient where the share is 0."""
    there = shares > 0
    return torch.where(there, shares * torch.log(torch.where(there, chances, 1.0)), 0.0)
