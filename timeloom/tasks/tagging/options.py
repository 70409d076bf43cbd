"""What can be said about a tagger."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

from timeloom.cells import CellName
from timeloom.core import UsageError
from timeloom.layers import Pool

SVM_ONLY = ("cost_missed", "cost_invented", "type_costs")


@dataclass(frozen=True)
class TaggerOptions:
    """The tagger.

    Args:
        cell: The recurrence that reads the sentence; `timeloom cells` says what they are.
        cell_options: What the cell takes besides, as in {"context_size": 40} for scrn.
        hidden_size: Units of the recurrence, in each direction.
        num_layers: Recurrent layers, one on another.
        bidirectional: Read the sentence from both ends.
        members: Encoders side by side over the same word vectors, each with first weights, dropout and scores of its
            own; the mean of their scores decides: an ensemble in one model. With the default sizes one alone
            takes about two thirds of the time of two, and is half as large.
        embedding_size: Numbers that stand for a word.
        characters: Also read each word letter by letter, with a small recurrent net or with convolutions.
        character_embedding_size: Numbers that stand for a letter.
        character_hidden_size: Units of the net over letters, in each direction; half as many as there are convolutions.
        feature_embedding_size: Numbers that stand for each further feature of a word (--feature_columns).
        capitalisation: Also see how each word is written: lower case, Capital, CAPITALS, mIxed, with digits, signs.
        dropout: Share of word vectors' and of encoder outputs' entries that are dropped in training.
        recurrent_dropout: Share of the state's entries that the recurrence does not see, the same ones at every step.
        word_dropout: How easily a word is hidden in training, so that the model learns what an unknown word means: a
            word seen n times is hidden with the probability word_dropout / (word_dropout + n).
        lowercase: Look words up in lower case (letters are always read as they stand).
        digits: Take every digit for a 0 when words are looked up.
        output: How tags depend on each other. softmax: not at all; crf, perceptron and svm learn which tag follows
            which, never break the tag scheme, and differ in what they train: the probability of the whole path, the
            best path, or the best path with a margin; hmm trains like softmax, and takes from counts which tag follows
            which.
        shared_tags: Let tags share weights where they have a letter, a type or a word of their type in common
            (fromloc.city and toloc.city: city), so that rare tags learn from frequent ones. Words end at punctuation
            but for the underscore.
        cost_missed: What svm pays for a word of a chunk that it calls O.
        cost_invented: What svm pays for an O that it puts into a chunk.
        type_costs: How many times as much svm pays for a wrong tag on a word of a chunk of these types, as in
            {"city": 2}; 1 for types that are not named.
        sentence_labels: Also learn the label of each sentence (its intent), where the training data have them. The best
            epoch is then picked by the mean of F1 and the labels' accuracy.
        label_pooling: How the label sees the whole sentence.
        label_weight: What a sentence's label counts beside one of its tags.
    """

    cell: CellName = "lstm"
    cell_options: dict[str, Any] = field(default_factory=dict)
    hidden_size: int = 200
    num_layers: int = 1
    bidirectional: bool = True
    members: int = 2
    embedding_size: int = 200
    characters: Literal["none", "recurrent", "cnn"] = "cnn"
    character_embedding_size: int = 32
    character_hidden_size: int = 32
    feature_embedding_size: int = 32
    capitalisation: bool = True
    dropout: float = 0.5
    recurrent_dropout: float = 0.0
    word_dropout: float = 0.25
    lowercase: bool = False
    digits: bool = True
    output: Literal["softmax", "crf", "perceptron", "svm", "hmm"] = "crf"
    shared_tags: bool = False
    cost_missed: float = 1.0
    cost_invented: float = 1.0
    type_costs: dict[str, float] = field(default_factory=dict)
    sentence_labels: bool = True
    label_pooling: Pool = "attention"
    label_weight: float = 1.0

    def __post_init__(self) -> None:
        for name in (
            "hidden_size",
            "num_layers",
            "members",
            "embedding_size",
            "character_embedding_size",
            "character_hidden_size",
            "feature_embedding_size",
        ):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)}, wanted 1 or more")
        for name in ("dropout", "recurrent_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)}, wanted 0 ≤ {name} < 1")
        costs = {f"type_costs of {kind}": cost for kind, cost in self.type_costs.items()}
        for name in ("cost_missed", "cost_invented", "word_dropout", "label_weight"):
            costs[name] = getattr(self, name)
        for name, value in costs.items():
            if not 0 <= value < math.inf:
                raise UsageError(f"{name} is {value}, wanted a finite number, 0 or more")
        plain = {name: TaggerOptions.__dataclass_fields__[name].default for name in SVM_ONLY[:2]} | {"type_costs": {}}
        if self.output != "svm" and (given := [name for name in SVM_ONLY if getattr(self, name) != plain[name]]):
            raise UsageError(f"{given[0]} is for the output svm; the output is {self.output}, which has no costs")

    def normal_form(self, word: str) -> str:
        """The word as the vocabulary has it."""
        if self.lowercase:
            word = word.lower()
        return "".join("0" if letter.isdigit() else letter for letter in word) if self.digits else word
