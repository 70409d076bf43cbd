"""A doctor who looks on while a model trains, and says in one line what is wrong, where, and what to try."""

from __future__ import annotations

import statistics
from collections import deque
from typing import Any

import torch
from torch import Tensor, nn

from timeloom.layers.inside import gates_over_time, saturated
from timeloom.layers.recurrent import Recurrent

EVERY = 50  # steps between two looks inside
JUMP = 100.0  # times the usual norm of the gradient
FIRST = 5  # steps before there is a usual norm
REACHES = 1e-5  # of the gradient at the end, at the beginning: less is none
LONG = 12  # steps; shorter sequences have no far end
MUCH = 0.5  # share of units, or of a gate's values
ROWS, READ = 4, 40  # sequences of a batch whose gates are looked at, and steps of each


class Doctor:
    """Looks at one step of training in fifty, and says each thing once.

    What it notices: a gradient a hundred times as long as is usual (explosion); a gradient by the input of a recurrent
    layer that has died away on the way to the first third of the sequences (vanishing); units of a ReLU that were at
    zero in every step of some sequences of a batch, and gates most of whose values are where their slope is gone.
    The last two in the first layer and on the CPU only: their steps are read one after another.
    """

    def __init__(self, model: nn.Module):
        self.layers = [(name, part) for name, part in model.named_modules() if isinstance(part, Recurrent)]
        self.norms: deque[float] = deque(maxlen=200)
        self.said: set[str] = set()
        self.steps = 0
        self._reads: dict[str, list[Tensor]] = {}
        self._gradients: dict[str, Tensor] = {}
        self._lengths: dict[str, list[int]] = {}

    def before(self) -> None:
        """A step of training begins."""
        self._hooks: list[Any] = []
        if self.steps % EVERY == 0:
            self._hooks = [
                part.register_forward_pre_hook(self._watch(name), with_kwargs=True) for name, part in self.layers
            ]

    def after(self, norm: float) -> list[str]:
        """The gradients of the step are there, `norm` the length of them all before clipping. Gives what is to say."""
        found = [] if len(self.norms) < FIRST else self.explosion(norm)
        self.norms.append(norm)
        for hook in self._hooks:
            hook.remove()
        for name, part in self.layers:
            if name in self._gradients:
                found += self.vanishing(name, self._gradients[name], self._lengths[name])
            if name in self._reads:
                found += self.gates(name, part, self._reads[name])
        self._reads, self._gradients = {}, {}
        self.steps += 1
        return found

    def _watch(self, name: str) -> Any:
        def look(layer: Recurrent, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
            x = args[0] if args else None
            if not isinstance(x, Tensor) or x.dim() != 3 or not x.is_floating_point():
                return None
            turned = x if layer.batch_first else x.transpose(0, 1)
            lengths = named.get("lengths")
            lengths = [turned.shape[1]] * len(turned) if lengths is None else torch.as_tensor(lengths).tolist()
            self._lengths[name] = lengths
            self._reads[name] = [row[:length].detach() for row, length in zip(turned, lengths, strict=True)][:ROWS]
            # A tensor of its own, for another layer may read the same one; vectors of a file want no gradient.
            watched = x.view_as(x) if x.requires_grad else x.detach().requires_grad_()
            batch_first = layer.batch_first
            watched.register_hook(lambda g: self._gradients.update({name: g if batch_first else g.transpose(0, 1)}))
            return (watched, *args[1:]), named

        return look

    def once(self, what: str, text: str) -> list[str]:
        if what in self.said:
            return []
        self.said.add(what)
        return [text]

    def explosion(self, norm: float) -> list[str]:
        usual = statistics.median(self.norms)
        if norm <= JUMP * max(usual, 1e-12):
            return []
        return self.once(
            "explosion",
            f"the gradient exploded, {self.steps + 1} steps after the start: {norm:.3g} long, where {usual:.3g} is "
            "usual. Clipping (clip_norm) keeps one such step from doing harm; where it comes again and again, try a "
            "smaller learning_rate, or a gated cell.",
        )

    def vanishing(self, name: str, gradient: Tensor, lengths: list[int]) -> list[str]:
        """`gradient` is by what a layer reads (B, T, I), of which the longest sequences are looked at. Only where the
        loss is at the end does the beginning say anything: where every step has a loss of its own, each has a gradient
        of its own."""
        steps = max(lengths, default=0)
        if steps < LONG:
            return []
        longest = [row for row, length in enumerate(lengths) if length == steps]
        norms = gradient[longest, :steps].double().square().sum((0, 2)).sqrt()
        first, most = float(norms[: steps // 3].max()), float(norms.max())
        if most == 0 or first >= REACHES * most:
            return []
        return self.once(
            f"vanishing {name}",
            f"the gradient vanishes in {name}: of {steps} steps the first third gets {first / most:.1g} of the most "
            "that any step gets, so nothing is learned from it. Try a gated cell, a forget bias of 1 or more, another "
            "pooling than the last step, or shorter sequences.",
        )

    @torch.no_grad()
    def gates(self, name: str, layer: Recurrent, read: list[Tensor]) -> list[str]:
        """`read` are some of the sequences that a layer reads, each (T, I)."""
        found = []
        for reverse, cell in enumerate(layer.cells[: 1 + layer.bidirectional]):
            like = next(iter(cell.parameters()), torch.zeros(0))
            some = [x[:READ].to(like.dtype) for x in read if len(x)]
            if some and not cell.timed and like.device.type == "cpu":  # step after step, another device would be slow
                found += self.gates_of(name, [gates_over_time(cell, x, bool(reverse)) for x in some])
        return found

    def gates_of(self, name: str, looked: list[tuple[dict[str, Tensor], dict[str, str]]]) -> list[str]:
        """`looked` has of each sequence what each gate gave, and the kinds of the gates."""
        kinds = looked[0][1]
        found = []
        for gate in looked[0][0]:
            value = torch.cat([values[gate] for values, _ in looked])
            if kinds[gate] == "relu":
                dead = float((value == 0).all(0).double().mean())
                if dead > MUCH and len(value) >= LONG:
                    found += self.once(
                        f"dead {name} {gate}",
                        f"{100 * dead:.0f} % of the units of {gate} in {name} are dead: at zero in every step. Try a "
                        "smaller learning_rate, or tanh.",
                    )
            elif kinds[gate] == "sigmoid" and (share := saturated(value, "sigmoid")) > MUCH:
                found += self.once(
                    f"saturated {name} {gate}",
                    f"{100 * share:.0f} % of the values of the gate {gate} in {name} are below 0.05 or above 0.95, "
                    "where it learns no more. Try a smaller learning_rate, weight_decay, or smaller inputs.",
                )
        return found
