"""Outputs that depend on each other, all through one chain."""

from timeloom.structured.crf import CRF
from timeloom.structured.emissions import Categorical, Gaussian
from timeloom.structured.hmm import HMM, scaled_likelihoods
from timeloom.structured.hybrid import HMMHybrid
from timeloom.structured.margin import StructuredPerceptron, StructuredSVM
from timeloom.structured.output import ChainOutput, tag_rules

__all__ = [
    "CRF",
    "HMM",
    "Categorical",
    "ChainOutput",
    "Gaussian",
    "HMMHybrid",
    "StructuredPerceptron",
    "StructuredSVM",
    "scaled_likelihoods",
    "tag_rules",
]
