"""How good a tagger is on tagged sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import eq
from pathlib import Path

from timeloom.data import Chunk, Sentence, chunks
from timeloom.tasks.tagging.files import TaggedFile
from timeloom.tasks.tagging.model import Tagger
from timeloom.train import ChunkScores, rates, score_chunks


@dataclass(frozen=True)
class TaggingScores:
    """The scores of one file, and what in it the tagger has never seen: tags and labels, which it cannot give, and how
    many of the words. Of `plain` tags each word is counted as a chunk."""

    chunks: ChunkScores
    sentences: int
    correct_sentences: int
    unknown_tags: dict[str, int]
    unknown_words: int = 0
    labelled: int = 0  # sentences with a label, of a tagger that gives labels
    correct_labels: int = 0
    correct_frames: int = 0  # label and all tags
    unknown_labels: dict[str, int] = field(default_factory=dict)
    plain: bool = False
    correct_unknown: int = 0  # words that the tagger has never seen, tagged right

    @property
    def known_accuracy(self) -> float:
        """Share of the known words with the right tag, in percent."""
        known = self.chunks.tokens - self.unknown_words
        return 100.0 * (self.chunks.correct_tokens - self.correct_unknown) / known if known else 0.0

    @property
    def unknown_accuracy(self) -> float:
        """Share of the unknown words with the right tag, in percent."""
        return 100.0 * self.correct_unknown / self.unknown_words if self.unknown_words else 0.0

    @property
    def sentence_accuracy(self) -> float:
        """Share of sentences with every tag right, in percent."""
        return 100.0 * self.correct_sentences / self.sentences if self.sentences else 0.0

    def labels_as_dict(self) -> dict[str, object]:
        return {
            "labelled": self.labelled,
            "label_accuracy": round(self.label_accuracy, 2),
            "frame_accuracy": round(self.frame_accuracy, 2),
            "unknown_labels": self.unknown_labels,
        }

    @property
    def label_accuracy(self) -> float:
        """Share of labelled sentences whose label is right, in percent."""
        return 100.0 * self.correct_labels / self.labelled if self.labelled else 0.0

    @property
    def frame_accuracy(self) -> float:
        """Share of labelled sentences whose label and tags are all right, in percent."""
        return 100.0 * self.correct_frames / self.labelled if self.labelled else 0.0

    def report(self) -> str:
        """conlleval's table, or that of plain tags, and a line about the labels where there are any."""
        table = self.plain_report() if self.plain else self.chunks.report()
        if not self.labelled:
            return table
        return (
            f"{table}\nlabels: {self.labelled} sentences; accuracy: {self.label_accuracy:6.2f}%; "
            f"label and all tags: {self.frame_accuracy:6.2f}%"
        )

    def plain_report(self) -> str:
        """Accuracy, of known and unknown words apart, and each tag."""
        width = max((len(name) for name in self.chunks.by_type), default=0)
        rows = [
            f"{name:>{max(17, width)}}: {rates(counts)}  {counts.gold}" for name, counts in self.chunks.by_type.items()
        ]
        known = self.chunks.tokens - self.unknown_words
        head = (
            f"processed {self.chunks.tokens} tokens; correct: {self.chunks.correct_tokens}.\n"
            f"accuracy: {self.chunks.accuracy:6.2f}%; known words: {self.known_accuracy:6.2f}% of {known}; "
            f"unknown words: {self.unknown_accuracy:6.2f}% of {self.unknown_words}"
        )
        return "\n".join([head, *rows])

    def tags_as_dict(self) -> dict[str, object]:
        whole = self.chunks.as_dict()
        return {
            "accuracy": whole["accuracy"],
            "known_accuracy": round(self.known_accuracy, 2),
            "unknown_accuracy": round(self.unknown_accuracy, 2),
            "tokens": self.chunks.tokens,
            "tags": whole["types"],
        }

    def as_dict(self) -> dict[str, object]:
        return {
            **(self.tags_as_dict() if self.plain else self.chunks.as_dict()),
            "sentences": self.sentences,
            "sentence_accuracy": round(self.sentence_accuracy, 2),
            "unknown_tags": self.unknown_tags,
            "unknown_words": self.unknown_words,
            **({} if not self.labelled else self.labels_as_dict()),
        }


def score_tagger(tagger: Tagger, sentences: Sequence[Sentence]) -> TaggingScores:
    """Tag the sentences anew and compare; their own tags must be BIO, or plain where the tagger's are."""
    gold = [list(sentence.tags or ()) for sentence in sentences]
    analysed = tagger.analyse(sentences)
    found = [tagged.tags for tagged in analysed]
    right = [sum(g == f for g, f in zip(*pair, strict=True)) for pair in zip(gold, found, strict=True)]
    whole = [count == len(tags) for count, tags in zip(right, gold, strict=True)]
    chunks_of = each_for_itself if tagger.plain else chunks
    scores = score_chunks(
        (chunks_of(tags) for tags in gold),
        (chunks_of(tags) for tags in found),
        tokens=sum(map(len, gold)),
        correct_tokens=sum(right),
    )
    unknown = [
        right
        for sentence, theirs, ours in zip(sentences, gold, found, strict=True)
        for token, right in zip(sentence.tokens, map(eq, theirs, ours), strict=True)
        if not tagger.knows(token)
    ]
    labels = [sentence.label for sentence in sentences] if tagger.labels else []
    labelled = [
        (label == tagged.label, tags)
        for label, tagged, tags in zip(labels, analysed, whole, strict=False)
        if label is not None
    ]
    return TaggingScores(
        scores,
        len(gold),
        sum(whole),
        counted(tag for tags in gold for tag in tags if tag not in tagger.tags),
        len(unknown),
        len(labelled),
        sum(label for label, _ in labelled),
        sum(label and tags for label, tags in labelled),
        counted(label for label in labels if label is not None and label not in tagger.labels),
        tagger.plain,
        sum(unknown),
    )


def each_for_itself(tags: Sequence[str]) -> list[Chunk]:
    return [Chunk(tag, position, position + 1) for position, tag in enumerate(tags)]


def counted(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items()))


def evaluate_tagger(
    tagger: Tagger, path: str | Path, file: TaggedFile | None = None
) -> tuple[TaggingScores, list[str]]:
    """The scores of a tagger on a file, and notes about what was odd in the file."""
    sentences, notes, _ = (file or TaggedFile()).read(path, tagger.plain)
    scores = score_tagger(tagger, sentences)
    return scores, [*notes, *notes_about_unknown(scores, path)]


def notes_about_unknown(scores: TaggingScores, path: str | Path) -> list[str]:
    """What in a file the model cannot have found, as it was not trained on it."""
    notes = []
    for what, unknown in (("tags", scores.unknown_tags), ("labels of sentences", scores.unknown_labels)):
        if unknown:
            listed = ", ".join(f"{name} ({count})" for name, count in list(unknown.items())[:10])
            listed += f" and {len(unknown) - 10} more" if len(unknown) > 10 else ""
            notes.append(f"{path} has {what} that the model was not trained on, so it cannot find them: {listed}")
    return notes
