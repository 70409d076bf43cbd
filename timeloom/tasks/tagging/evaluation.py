"""How good a tagger is on tagged sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from timeloom.data import Sentence, chunks
from timeloom.tasks.tagging.files import TaggedFile
from timeloom.tasks.tagging.model import Tagger
from timeloom.train import ChunkScores, score_chunks


@dataclass(frozen=True)
class TaggingScores:
    """The scores of one file, and the tags in it that the tagger has never seen and so cannot give."""

    chunks: ChunkScores
    sentences: int
    correct_sentences: int
    unknown_tags: dict[str, int]

    @property
    def sentence_accuracy(self) -> float:
        """Share of sentences with every tag right, in percent."""
        return 100.0 * self.correct_sentences / self.sentences if self.sentences else 0.0

    def as_dict(self) -> dict[str, object]:
        return {
            **self.chunks.as_dict(),
            "sentences": self.sentences,
            "sentence_accuracy": round(self.sentence_accuracy, 2),
            "unknown_tags": self.unknown_tags,
        }


def score_tagger(tagger: Tagger, sentences: Sequence[Sentence]) -> TaggingScores:
    """Tag the sentences anew and compare; their own tags must be BIO."""
    gold = [list(sentence.tags or ()) for sentence in sentences]
    found = tagger.tag([sentence.tokens for sentence in sentences])
    right = [sum(g == f for g, f in zip(*pair, strict=True)) for pair in zip(gold, found, strict=True)]
    scores = score_chunks(
        (chunks(tags) for tags in gold),
        (chunks(tags) for tags in found),
        tokens=sum(map(len, gold)),
        correct_tokens=sum(right),
    )
    unknown = Counter(tag for tags in gold for tag in tags if tag not in tagger.tags)
    whole = sum(count == len(tags) for count, tags in zip(right, gold, strict=True))
    return TaggingScores(scores, len(gold), whole, dict(sorted(unknown.items())))


def evaluate_tagger(
    tagger: Tagger, path: str | Path, file: TaggedFile | None = None
) -> tuple[TaggingScores, list[str]]:
    """The scores of a tagger on a file, and notes about what was odd in the file."""
    sentences, notes = (file or TaggedFile()).read(path)
    scores = score_tagger(tagger, sentences)
    if scores.unknown_tags:
        listed = ", ".join(f"{tag} ({count})" for tag, count in list(scores.unknown_tags.items())[:10])
        listed += f" and {len(scores.unknown_tags) - 10} more" if len(scores.unknown_tags) > 10 else ""
        notes.append(f"{path} has tags that the model was not trained on, so it cannot find them: {listed}")
    return scores, notes
