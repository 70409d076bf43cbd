"""How the tags of a tagger depend on each other."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from timeloom.core import UsageError
from timeloom.structured import (
    CRF,
    ChainOutput,
    HMMHybrid,
    StructuredPerceptron,
    StructuredSVM,
    tag_rules,
)
from timeloom.tasks.tagging.options import TaggerOptions


def dependence_of(model: TaggerOptions, tags: Sequence[str], plain: bool = False) -> ChainOutput | None:
    """The output over a chain that the options ask for; None for softmax. Plain tags have no rules."""
    rules = None if plain else tag_rules(tags)
    match model.output:
        case "softmax":
            return None
        case "crf":
            return CRF(len(tags), rules)
        case "perceptron":
            return StructuredPerceptron(len(tags), rules)
        case "hmm":
            return HMMHybrid(len(tags), rules)
        case "svm":
            types = [tag if plain else tag.partition("-")[2] for tag in tags]
            if strange := sorted(set(model.type_costs) - set(types)):
                raise UsageError(
                    f"type_costs name {strange[0]!r}, which is no type of chunk in the training data; there are: "
                    f"{', '.join(sorted(set(types) - {''}))}"
                )
            factors = torch.tensor([model.type_costs.get(kind, 1.0) for kind in types])
            outside = tags.index("O") if "O" in tags and not plain else None
            return StructuredSVM(len(tags), rules, outside, model.cost_missed, model.cost_invented, factors)
