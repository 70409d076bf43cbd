"""Outputs that depend on each other, all through one chain."""

from timeloom.structured.crf import CRF
from timeloom.structured.margin import StructuredPerceptron, StructuredSVM
from timeloom.structured.output import ChainOutput, tag_rules

__all__ = ["CRF", "ChainOutput", "StructuredPerceptron", "StructuredSVM", "tag_rules"]
