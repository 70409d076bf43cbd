"""From labelled files to a saved classifier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from timeloom.data import Example, TextOptions, Vocabulary, epoch_batches, learn_tokenizer, seed_of
from timeloom.tasks.classify.batch import Batch
from timeloom.tasks.classify.data import ClassifyData, Prepared, prepare, steps_of
from timeloom.tasks.classify.evaluation import LabelScores, score_classifier
from timeloom.tasks.classify.learn_ngrams import learn_ngrams
from timeloom.tasks.classify.model import Classifier
from timeloom.tasks.classify.options import SERIES_EPOCHS, ClassifierOptions, LabelledFile
from timeloom.tasks.training import Trained, TrainingRun
from timeloom.train import Problem, TrainingOptions, Watch

MOST_WORDS = 1_000_000  # that n-grams are learned from: some 20 n-grams a word, each a number that has to be kept


class ClassifyProblem(Problem):
    """The training of a classifier, as `fit` wants it told."""

    def __init__(
        self, classifier: Classifier, train: Sequence[Example], valid: Sequence[Example], options: TrainingOptions
    ):
        self.classifier, self.train, self.valid, self.options = classifier, train, valid, options
        self.selected_by = "f1" if classifier.several else "accuracy"
        self._lengths = steps_of(train)

    def plan(self, epoch: int) -> list[list[int]]:
        return epoch_batches(self._lengths, self.options.batch_size, seed=self.options.seed, epoch=epoch)

    def batch(self, indices: Sequence[int]) -> Batch:
        return self.classifier.encode([self.train[index] for index in indices], grams=False)

    def validate(self, model: Classifier) -> dict[str, float]:
        model.weigh(self.valid)
        scores = score_classifier(model, self.valid)
        return {"accuracy": scores.accuracy, "f1": scores.micro_f1 if model.several else scores.macro_f1}


def train_classifier(
    data: ClassifyData,
    model: ClassifierOptions,
    text: TextOptions,
    training: TrainingOptions,
    out: str | Path,
    *,
    file: LabelledFile | None = None,
    resume: bool = False,
    overwrite: bool = False,
    watch: Watch | None = None,
) -> Trained[Classifier, LabelScores]:
    """Train a classifier and save it as the folder `out`; checkpoints and logs lie beside it, in `out`.training.

    Raises DataError where a file cannot be read, UsageError where the options contradict each other, the files or an
    earlier run, RunError where training blows up or a file cannot be written, Interrupted after Ctrl-C.
    """
    watch, file = watch or Watch(), file or LabelledFile()
    sections = {"data": data, "file": file, "text": text, "model": model, "training": training}
    run = TrainingRun("classify", out, sections, resume=resume, overwrite=overwrite, watch=watch)
    prepared = prepare(data, file, watch)
    if prepared.features and training.epochs is None:
        run.training = training = replace(training, epochs=SERIES_EPOCHS)
    with run.opened(prepared.fingerprint):
        classifier = begin(model, text, prepared, watch)
        problem = ClassifyProblem(classifier, prepared.parts["train"], prepared.parts["valid"], training)
        progress = run.learn(classifier, problem)
        valid = score_classifier(classifier, prepared.parts["valid"])
        test = score_classifier(classifier, prepared.parts["test"]) if "test" in prepared.parts else None
        curves = ["accuracy", "f1"]
        return run.deliver(classifier, classifier.config(), progress, valid, test, curves, loss_in="nats per example")


def begin(model: ClassifierOptions, text: TextOptions, prepared: Prepared, watch: Watch) -> Classifier:
    """The classifier before its first step, with what is taken from the training data by counting."""
    train = prepared.parts["train"]
    if not prepared.features:
        return begin_with_texts(model, text, prepared, watch)
    classifier = Classifier(model, prepared.labels, None, prepared.features, prepared.several)
    steps = torch.cat([classifier.encode_content(example) for example in train]).double()
    classifier.mean.copy_(steps.mean(0))
    spread = steps.std(0, correction=0)
    classifier.deviation.copy_(torch.where(spread > 0, spread, 1.0))  # what never changes says nothing
    return classifier


def begin_with_texts(model: ClassifierOptions, text: TextOptions, prepared: Prepared, watch: Watch) -> Classifier:
    train, valid = prepared.parts["train"], prepared.parts["valid"]
    texts = [str(example.content) for example in train]
    tokenizer = learn_tokenizer(texts, text, padded=True)
    letters: Sequence[str] = ()
    if text.level == "word" and model.characters != "none":
        letters = Vocabulary.build(letter for one in texts for letter in one if not letter.isspace()).symbols
    classifier = Classifier(model, prepared.labels, tokenizer, 0, prepared.several, letters)
    if text.level == "word" and model.ngrams:
        words, held_out = ([classifier.words_of(str(one.content)) for one in part] for part in (train, valid))
        chosen = drawn([len(text) for text in words])
        if len(chosen) < len(train):
            watch.note(
                f"scores of n-grams are learned from {len(chosen):,} of the {len(train):,} texts, which have "
                f"{MOST_WORDS:,} words"
            )
        labels, held_out_labels = classifier.label_table(train)[chosen], classifier.label_table(valid)
        some = [words[place] for place in chosen]
        classifier.add_ngrams(learn_ngrams(some, labels, held_out, held_out_labels, prepared.several, model.ngrams))
    return classifier


def drawn(lengths: Sequence[int]) -> list[int]:
    """Which of texts with so many words each n-grams are learned from: all, or as many, drawn by a fixed seed, as have
    `MOST_WORDS` together, one at least."""
    if sum(lengths) <= MOST_WORDS:
        return list(range(len(lengths)))
    order = torch.randperm(len(lengths), generator=torch.Generator().manual_seed(seed_of(0, 1)))
    fitting = int((torch.tensor(lengths)[order].cumsum(0) <= MOST_WORDS).sum())
    return sorted(order[: max(1, fitting)].tolist())
