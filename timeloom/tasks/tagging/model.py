"""The tagger: words in, recurrent encoder, one tag a word out, and perhaps a label for the whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from timeloom.chain import Chain
from timeloom.core import ModelError, Padded, UsageError
from timeloom.data import UNKNOWN, Sentence, Splitting, Vocabulary, evaluation_batches, is_tag, sentences_in
from timeloom.layers import Recurrent, evaluating, spelt
from timeloom.tasks.tagging.batch import Batch
from timeloom.tasks.tagging.dependence import dependence_of
from timeloom.tasks.tagging.member import Member, Scores
from timeloom.tasks.tagging.options import TaggerOptions
from timeloom.tasks.tagging.tagged import Tagged, tagged_by
from timeloom.tasks.tagging.text import TaggedText, Tokenize, splitting_for
from timeloom.tasks.tagging.words import WordVectors, how_written

NO_TAG = -100  # cross_entropy leaves these out


class Tagger(nn.Module):
    """A recurrent tagger: vectors of words → dropout → members, each a recurrent encoder with a linear score for every
    tag and, where labels are learned, every label → the mean of their scores; with an output over a chain also scores
    for going from tag to tag.

    Its constructor's arguments are what `config.json` holds under their names.

    Built from `TaggerOptions`, a vocabulary of `words`, `tags`, `characters` and `labels`, and the symbols of each
    further feature. Words, characters and features begin with `<pad>` and `<unk>`; labels are empty where none are
    learned. `splitting` says how raw text is split into words as the training data have them; `plain`, that tags are no
    chunks and any may follow any. Shapes: words (B, T) → scores (B, T, K).
    """

    def __init__(
        self,
        model: TaggerOptions | dict[str, Any],
        vocabulary: dict[str, list[str]],
        features: Sequence[list[str]] | None = None,
        task: Literal["tag"] = "tag",
        splitting: Splitting | dict[str, Any] | None = None,
        plain: bool = False,
    ):
        super().__init__()
        if task != "tag":
            raise UsageError(f"Tagger: the task is {task!r}, wanted 'tag'")
        model = TaggerOptions(**model) if isinstance(model, dict) else model  # a dict is what config.json has
        self.options = model
        self.words = Vocabulary(tuple(vocabulary["words"]))
        self.tags = tuple(vocabulary["tags"])
        self.characters = Vocabulary(tuple(vocabulary["characters"]))
        self.labels = tuple(vocabulary.get("labels", ()))
        self.features = [Vocabulary(tuple(symbols)) for symbols in features or ()]
        self.splitting = Splitting(**splitting) if isinstance(splitting, dict) else splitting
        self.plain = plain
        if wrong := [] if plain else [tag for tag in self.tags if not is_tag(tag)]:
            raise UsageError(f"Tagger: {wrong[0]!r} is not a tag; wanted O or a letter, a dash and a type")
        if not self.tags or UNKNOWN not in self.words or UNKNOWN not in self.characters:
            raise UsageError(f"Tagger: the vocabulary needs a tag at least, and {UNKNOWN} among words and characters")
        self.word_vectors = WordVectors(
            model,
            len(self.words),
            len(self.characters),
            self.words.ids[UNKNOWN],
            [len(symbols) for symbols in self.features],
        )
        self.members = nn.ModuleList(
            Member(model, self.word_vectors.output_size, self.tags, len(self.labels), plain)
            for _ in range(model.members)
        )
        self.dependence = dependence_of(model, self.tags, plain)
        self._tag_ids = {tag: number for number, tag in enumerate(self.tags)}
        self._label_ids = {label: number for number, label in enumerate(self.labels)}

    @property
    def encoder(self) -> Recurrent:
        """The recurrent layers; of several members, the first one's."""
        return cast(Member, self.members[0]).encoder

    @property
    def device(self) -> torch.device:
        return self.word_vectors.embedding.weight.device

    def config(self) -> dict[str, Any]:
        """The constructor's arguments, ready for JSON, but for `task`."""
        vocabulary = {
            "words": self.words.symbols,
            "tags": self.tags,
            "characters": self.characters.symbols,
            "labels": self.labels,
        }
        return {
            "model": asdict(self.options),
            "vocabulary": {name: list(symbols) for name, symbols in vocabulary.items()},
            "features": [list(symbols.symbols) for symbols in self.features],
            "splitting": None if self.splitting is None else asdict(self.splitting),
            "plain": self.plain,
        }

    def encode(self, sentences: Sequence[Sentence | Sequence[str]]) -> Batch:
        """Turn sentences, or lists of tokens, into a batch; with tags where all have them, and with labels. Tags and
        labels that the model has not seen become NO_TAG."""
        given = [as_sentence(one) for one in sentences]
        tokens = [sentence.tokens for sentence in given]
        words = [torch.tensor(self.words.encode([self.options.normal_form(w) for w in s])) for s in tokens]
        batch = Batch(Padded.from_list([w.long() for w in words]))
        if all(sentence.tags is not None for sentence in given):
            batch.tags = Padded.from_list([self.tag_ids(s.tags or ()) for s in given], padding_value=NO_TAG).data
        if self.labels:
            batch.labels = torch.tensor([self._label_ids.get(s.label or "", NO_TAG) for s in given])
        if self.word_vectors.speller is not None:
            batch.spellings, batch.spelling = spelt(tokens, self.characters.ids, self.characters.ids[UNKNOWN])
        if self.word_vectors.cases is not None:
            cases = [torch.tensor([how_written(w) for w in s], dtype=torch.long) for s in tokens]
            batch.cases = Padded.from_list(cases).data
        features = [self.feature_ids(sentence) for sentence in given]
        if self.features:
            batch.features = Padded.from_list(features).data
        return batch

    def feature_ids(self, sentence: Sentence) -> Tensor:
        """The numbers of a sentence's features (T, F)."""
        if len(sentence.features) != len(self.features):
            raise UsageError(
                f"this tagger wants {len(self.features)} feature(s) of each token beside the token itself, and the "
                f"sentence '{' '.join(sentence.tokens)[:60]}' has {len(sentence.features)}.\n"
                "  Give sentences with the same --feature_columns as in training, or none where there were none."
            )
        rows = [symbols.encode(column) for symbols, column in zip(self.features, sentence.features, strict=True)]
        return torch.tensor(rows, dtype=torch.long).view(len(rows), len(sentence.tokens)).T

    def tag_ids(self, tags: Sequence[str]) -> Tensor:
        """The numbers of tags, NO_TAG for those that the model has not seen."""
        return torch.tensor([self._tag_ids.get(tag, NO_TAG) for tag in tags], dtype=torch.long)

    def read(self, batch: Batch) -> list[Scores]:
        """What each member makes of the sentences, with dropout of its own while training."""
        vectors, p = self.word_vectors(batch), self.options.dropout
        return [member(F.dropout(vectors, p, self.training), batch.words.lengths) for member in self.members]

    def scores(self, batch: Batch) -> Scores:
        """The mean of what the members make of the sentences."""
        read = self.read(batch)
        labels = [one.labels for one in read if one.labels is not None]
        return Scores(torch.stack([one.tags for one in read]).mean(0), torch.stack(labels).mean(0) if labels else None)

    def forward(self, batch: Batch) -> Tensor:
        """Scores of every tag at every step: (B, T, K). What stands after a sentence's end means nothing."""
        return self.scores(batch).tags

    def chain(self, scores: Tensor, batch: Batch) -> Chain:
        """All ways to tag the sentences, from what `forward` gave."""
        if self.dependence is not None:
            return self.dependence.chain(scores, batch.words.lengths)
        return Chain(scores, scores.new_zeros(len(self.tags), len(self.tags)), lengths=batch.words.lengths)

    def loss(self, batch: Batch) -> Tensor:
        """What training makes small: the mean over all steps of the cross-entropy in nats, or of what the chain's
        output has, and that of the labels' cross-entropy, each weighed as one step. Of several members the mean of
        their losses, which is never less than the loss of their mean scores.

        Steps without a known tag count for the cross-entropy only; a chain wants all tags.
        """
        if batch.tags is None:
            raise UsageError("Tagger.loss: the batch has no tags")
        read = self.read(batch)
        # Each member learns by itself, as if there were that many times the sentences.
        scores = torch.cat([one.tags for one in read])
        tags, lengths = batch.tags.repeat(len(read), 1), batch.words.lengths.repeat(len(read))
        if not scores.isfinite().all():
            return scores.sum()  # the training loop says what became of the loss, and what to do
        if self.dependence is not None:
            loss = self.dependence.loss(scores, tags, lengths)
        else:
            loss = F.cross_entropy(scores.flatten(0, 1), tags.flatten(), ignore_index=NO_TAG)
        if batch.labels is not None:
            of_labels = torch.cat([one.labels for one in read if one.labels is not None])
            labels = batch.labels.repeat(len(read))
            wrong = F.cross_entropy(of_labels, labels, ignore_index=NO_TAG, reduction="sum")
            loss = loss + self.options.label_weight * wrong / lengths.sum().clamp(min=1)
        return loss

    @torch.inference_mode()
    def probabilities(self, sentence: Sentence | Sequence[str]) -> Tensor:
        """How likely each tag is for each token of one sentence: (T, K), rows that sum to 1."""
        with evaluating(self):
            batch = self.encode([sentence]).to(self.device)
            return self.chain(self(batch), batch).marginals()[0]

    def tag(self, sentences: Sequence[Sentence | Sequence[str]], batch_size: int = 64) -> list[list[str]]:
        """The best tag of every token, as BIO that chunks can be read off. Sentences are lists of tokens, or
        `Sentence`s where a token has features beside it."""
        return [tagged.tags for tagged in self.analyse(sentences, batch_size=batch_size)]

    @torch.inference_mode()
    def analyse(
        self,
        sentences: Sequence[Sentence | Sequence[str]],
        *,
        confidences: bool = False,
        paths: int = 0,
        batch_size: int = 64,
    ) -> list[Tagged]:
        """The best tags of each sentence, and what more is asked for: how sure each tag is, the best `paths` paths.

        Probabilities of the outputs perceptron and svm are those of a model whose scores were never trained to be
        log-probabilities: they order, but are not calibrated.
        """
        if isinstance(sentences, str) or any(isinstance(sentence, str) for sentence in sentences):
            raise UsageError(
                'Tagger.tag: a sentence came as one string; wanted a list of tokens, as in "a b".split().\n'
                "  tag_text(text) splits a text and tags it."
            )
        given = [as_sentence(one) for one in sentences]
        found = [Tagged([]) for _ in given]
        full = [number for number, sentence in enumerate(given) if sentence.tokens]
        with evaluating(self):
            for rows in evaluation_batches([len(given[n].tokens) for n in full], batch_size):
                chosen = [full[row] for row in rows]
                some = self.analyse_batch([given[n] for n in chosen], confidences, paths)
                for number, tagged in zip(chosen, some, strict=True):
                    found[number] = tagged
        return found

    def analyse_batch(self, sentences: Sequence[Sentence], confidences: bool, paths: int) -> Iterator[Tagged]:
        batch = self.encode(sentences).to(self.device)
        scores, label_scores = self.scores(batch)
        labels = None if label_scores is None else label_scores.softmax(-1)
        sound = scores.isfinite().flatten(1).all(1)
        sound = sound if labels is None else sound & labels.isfinite().all(1)
        if not sound.all():
            tokens = sentences[int((~sound).nonzero()[0])].tokens
            raise ModelError(
                f"the scores of the sentence '{' '.join(tokens)[:60]}' are not numbers: the weights of this model are "
                "damaged.\n  Train it anew, or take another copy."
            )
        chain = self.chain(scores, batch)
        return tagged_by(chain, self.tags, labels, self.labels, confidences=confidences, paths=paths, plain=self.plain)

    def tag_text(self, text: str, tokenize: Tokenize = "auto") -> list[TaggedText]:
        """The sentences of a raw text, split as the training data were, with their tags and chunks, and where in the
        text each stands.

        Args:
            text: Any text, without a token's end marked in it.
            tokenize: "auto": as the training data were split; "always": signs apart; "never": at blanks alone.
        """
        sentences = sentences_in(text, splitting_for(self.splitting, tokenize), self.knows)
        return [
            TaggedText.of(text, sentence, tagged, plain=self.plain)
            for sentence, tagged in zip(sentences, self.analyse(sentences), strict=True)
        ]

    def knows(self, word: str) -> bool:
        """Whether training had the word, or a file of vectors."""
        return self.options.normal_form(word) in self.words


def as_sentence(one: Sentence | Sequence[str]) -> Sentence:
    return one if isinstance(one, Sentence) else Sentence(tuple(one))
