"""Outputs that depend on each other, all through one chain."""

from timeloom.structured.crf import CRF
from timeloom.structured.emissions import Categorical, Emission, Gaussian, Posteriors
from timeloom.structured.hmm import HMM
from timeloom.structured.hybrid import HMMHybrid
from timeloom.structured.margin import StructuredPerceptron, StructuredSVM
from timeloom.structured.output import ChainOutput, Rules, tag_rules

__all__ = [
    "CRF",
    "HMM",
    "Categorical",
    "ChainOutput",
    "Emission",
    "Gaussian",
    "HMMHybrid",
    "Posteriors",
    "Rules",
    "StructuredPerceptron",
    "StructuredSVM",
    "tag_rules",
]
