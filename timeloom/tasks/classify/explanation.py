"""Which words carried the label: what attention looked at, and what the label's score would miss."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from timeloom.core import UsageError
from timeloom.data import Example
from timeloom.tasks.classify.model import Classifier


@dataclass(frozen=True)
class Explanation:
    """The words of a text, and what each did for a label.

    Attributes:
        words: As the model reads them, T of them.
        label: The label that is explained, the likeliest one.
        probability: Of that label.
        influence: T numbers: the gradient of the label's score by each word's vector, times that vector; what the score
            would lose, to first order, if the vector were zero. To that comes what the n-grams add that the word is
            part of, shared among the words of each. Negative where a word speaks against the label.
        attention: T shares that sum to 1; None where the pooling has no attention.
    """

    words: list[str]
    label: str
    probability: float
    influence: list[float]
    attention: list[float] | None


def explain_label(classifier: Classifier, text: str) -> Explanation:
    """Why a classifier gives a text its likeliest label.

    Source of gradient times input: Shrikumar, Greenside and Kundaje 2017, arXiv:1704.02685.
    """
    if classifier.tokenizer is None:
        raise UsageError("explain: the classifier reads series of vectors, which have no words")
    classifier.eval()
    batch = classifier.encode([Example(text)])
    lengths = batch.content.lengths
    vectors = classifier.vectors(batch).detach().requires_grad_()
    encoded = classifier.read(vectors, lengths)
    scores = classifier.mixed(classifier.scores_of(encoded, lengths), batch)[0]
    best = int(scores.argmax())
    (gradient,) = torch.autograd.grad(scores[best], vectors)
    attention = None
    if classifier.pooling.kind == "attention":
        attention = classifier.pooling.attention(encoded, lengths)[0].detach().tolist()
    chances = scores.sigmoid() if classifier.several else scores.softmax(-1)
    words = [word.strip() or "␣" for word in classifier.tokenizer.written(text)] or ["␣"]
    influence = (gradient * vectors)[0].sum(-1).tolist()
    for place, more in enumerate(influence_of_ngrams(classifier, text, best)):
        influence[place] += more
    return Explanation(words, classifier.labels[best], float(chances[best].detach()), influence, attention)


def influence_of_ngrams(classifier: Classifier, text: str, label: int) -> list[float]:
    """What each word adds to a label's score by n-grams; of one label of several, more than to the others' mean."""
    if classifier.ngrams is None or classifier.mixture is None:
        return []
    words = classifier.words_of(text)
    found = torch.tensor([classifier.ngrams.influence(words, number) for number in range(len(classifier.labels))])
    adds = classifier.mixture.centred(found.T)[:, label]  # (T,)
    return (float(classifier.mixture.ngrams) * adds).tolist()
