"""The tagger: words in, recurrent encoder, one tag a word out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from timeloom.cells import CELLS, CellName
from timeloom.core import ModelError, Padded, UsageError
from timeloom.data import UNKNOWN, Vocabulary, evaluation_batches, is_tag, to_bio
from timeloom.layers import Recurrent
from timeloom.structured import CRF, ChainOutput, StructuredPerceptron, StructuredSVM, tag_rules

NO_TAG = -100  # cross_entropy leaves these steps out


@dataclass(frozen=True)
class TaggerOptions:
    """The tagger.

    Args:
        cell: The recurrence that reads the sentence; `timeloom cells` says what they are.
        hidden_size: Units of the recurrence, in each direction.
        num_layers: Recurrent layers, one on another.
        bidirectional: Read the sentence from both ends.
        embedding_size: Numbers that stand for a word.
        characters: Also read each word letter by letter, with a small recurrent net.
        character_embedding_size: Numbers that stand for a letter.
        character_hidden_size: Units of the net over letters, in each direction.
        dropout: Share of word vectors' and of encoder outputs' entries that are dropped in training.
        word_dropout: How easily a word is hidden in training, so that the model learns what an unknown word means: a
            word seen n times is hidden with the probability word_dropout / (word_dropout + n).
        lowercase: Look words up in lower case (letters are always read as they stand).
        digits: Take every digit for a 0 when words are looked up.
        output: How tags depend on each other. softmax: not at all; crf, perceptron and svm learn which tag follows
            which, never break the tag scheme, and differ in what they train: the probability of the whole path, the
            best path, or the best path with a margin.
        cost_missed: What svm pays for a word of a chunk that it calls O.
        cost_invented: What svm pays for an O that it puts into a chunk.
    """

    cell: CellName = "lstm"
    hidden_size: int = 200
    num_layers: int = 1
    bidirectional: bool = True
    embedding_size: int = 200
    characters: bool = False
    character_embedding_size: int = 32
    character_hidden_size: int = 32
    dropout: float = 0.5
    word_dropout: float = 0.25
    lowercase: bool = False
    digits: bool = True
    output: Literal["softmax", "crf", "perceptron", "svm"] = "softmax"
    cost_missed: float = 1.0
    cost_invented: float = 1.0

    def __post_init__(self) -> None:
        for name in (
            "hidden_size",
            "num_layers",
            "embedding_size",
            "character_embedding_size",
            "character_hidden_size",
        ):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)}, wanted 1 or more")
        if not 0 <= self.dropout < 1:
            raise UsageError(f"dropout is {self.dropout}, wanted 0 ≤ dropout < 1")
        for name in ("cost_missed", "cost_invented"):
            if getattr(self, name) < 0:
                raise UsageError(f"{name} is {getattr(self, name)}, wanted 0 or more")
        if self.word_dropout < 0:
            raise UsageError(f"word_dropout is {self.word_dropout}, wanted 0 or more")

    def normal_form(self, word: str) -> str:
        """The word as the vocabulary has it."""
        if self.lowercase:
            word = word.lower()
        return "".join("0" if letter.isdigit() else letter for letter in word) if self.digits else word


@dataclass
class Batch:
    """Encoded sentences: B of them, T words at most, N different words, L letters at most."""

    words: Padded  # (B, T) ids
    tags: Tensor | None = None  # (B, T) ids, NO_TAG where there is none
    spellings: Padded | None = None  # (N, L) letter ids of the different words
    spelling: Tensor | None = None  # (B, T) which of the N a word is

    def to(self, device: torch.device | str) -> Batch:
        def moved(part: Any) -> Any:
            return None if part is None else part.to(device)

        return Batch(moved(self.words), moved(self.tags), moved(self.spellings), moved(self.spelling))


class Tagger(nn.Module):
    """A recurrent tagger: embeddings → dropout → recurrent encoder → dropout → a linear score for every tag,
    and with an output over a chain, scores for going from tag to tag.

    Its constructor's arguments are what `config.json` holds under their names.

    Built from `TaggerOptions` and a vocabulary: `{"words": [...], "tags": [...], "characters": [...]}`, words and
    characters beginning with `<pad>` and `<unk>`. Shapes: words (B, T) → scores (B, T, K).
    """

    def __init__(
        self, model: TaggerOptions | dict[str, Any], vocabulary: dict[str, list[str]], task: Literal["tag"] = "tag"
    ):
        super().__init__()
        if task != "tag":
            raise UsageError(f"Tagger: the task is {task!r}, wanted 'tag'")
        model = TaggerOptions(**model) if isinstance(model, dict) else model  # a dict is what config.json has
        self.options = model
        self.words = Vocabulary(tuple(vocabulary["words"]))
        self.tags = tuple(vocabulary["tags"])
        self.characters = Vocabulary(tuple(vocabulary["characters"]))
        if wrong := [tag for tag in self.tags if not is_tag(tag)]:
            raise UsageError(f"Tagger: {wrong[0]!r} is not a tag; wanted O or a letter, a dash and a type")
        if not self.tags or UNKNOWN not in self.words or UNKNOWN not in self.characters:
            raise UsageError(f"Tagger: the vocabulary needs a tag at least, and {UNKNOWN} among words and characters")
        self.embedding = nn.Embedding(len(self.words), model.embedding_size, padding_idx=0)
        width = model.embedding_size
        cell = CELLS[model.cell]
        if model.characters:
            self.character_embedding = nn.Embedding(len(self.characters), model.character_embedding_size, padding_idx=0)
            self.speller = Recurrent(
                cell(model.character_embedding_size, model.character_hidden_size), bidirectional=True
            )
            width += self.speller.output_size
        self.encoder = Recurrent(
            cell(width, model.hidden_size), model.num_layers, model.bidirectional, dropout=model.dropout
        )
        self.output = nn.Linear(self.encoder.output_size, len(self.tags))
        self.dependence = dependence_of(model, self.tags)
        self._tag_ids = {tag: number for number, tag in enumerate(self.tags)}
        # How often the training data has each word; only training needs it, so it is not saved.
        self.word_counts: Tensor | None
        self.register_buffer("word_counts", None, persistent=False)

    def config(self) -> dict[str, Any]:
        """The constructor's arguments, ready for JSON, but for `task`."""
        vocabulary = {"words": self.words.symbols, "tags": self.tags, "characters": self.characters.symbols}
        return {
            "model": asdict(self.options),
            "vocabulary": {name: list(symbols) for name, symbols in vocabulary.items()},
        }

    def encode(self, sentences: Sequence[Sequence[str]], tags: Sequence[Sequence[str]] | None = None) -> Batch:
        """Turn tokens, and tags where they are given, into a batch. Tags the model has not seen become NO_TAG."""
        words = [torch.tensor(self.words.encode([self.options.normal_form(w) for w in s])) for s in sentences]
        batch = Batch(Padded.from_list([w.long() for w in words]))
        if tags is not None:
            ids = [torch.tensor([self._tag_ids.get(tag, NO_TAG) for tag in row], dtype=torch.long) for row in tags]
            batch.tags = Padded.from_list(ids, padding_value=NO_TAG).data
        if self.options.characters:
            numbers: dict[str, int] = {}
            rows = [torch.tensor([numbers.setdefault(w, len(numbers)) for w in s], dtype=torch.long) for s in sentences]
            batch.spelling = Padded.from_list(rows).data
            batch.spellings = Padded.from_list([torch.tensor(self.characters.encode(list(w))) for w in numbers])
        return batch

    def forward(self, batch: Batch) -> Tensor:
        """Scores of every tag at every step: (B, T, K). What stands after a sentence's end means nothing."""
        words = batch.words.data
        if self.training and self.word_counts is not None:
            hide = self.options.word_dropout / (self.options.word_dropout + self.word_counts[words])
            words = torch.where(torch.rand_like(hide) < hide, self.words.ids[UNKNOWN], words)
        vectors = self.embedding(words)  # (B, T, E)
        if batch.spellings is not None:
            vectors = torch.cat([vectors, self.spell(batch.spellings)[batch.spelling]], dim=-1)
        vectors = F.dropout(vectors, self.options.dropout, self.training)
        encoded, _ = self.encoder(vectors, lengths=batch.words.lengths)  # (B, T, 2H)
        return self.output(F.dropout(encoded, self.options.dropout, self.training))

    def spell(self, spellings: Padded) -> Tensor:
        """What each word's letters say, read from both ends: (N, L) → (N, 2 · O)."""
        letters = self.character_embedding(spellings.data)
        read, _ = self.speller(letters, lengths=spellings.lengths)  # (N, L, 2 · O)
        forward, backward = read.chunk(2, dim=-1)
        last = (spellings.lengths - 1).clamp(min=0).to(read.device)
        return torch.cat([forward[torch.arange(len(last)), last], backward[:, 0]], dim=-1)

    def loss(self, batch: Batch) -> Tensor:
        """What training makes small, the mean over all steps: cross-entropy in nats, or what the chain's output has.

        Steps without a known tag count for the cross-entropy only; a chain wants all tags.
        """
        if batch.tags is None:
            raise UsageError("Tagger.loss: the batch has no tags")
        if self.dependence is not None:
            return self.dependence.loss(self(batch), batch.tags, batch.words.lengths)
        return F.cross_entropy(self(batch).flatten(0, 1), batch.tags.flatten(), ignore_index=NO_TAG)

    def best(self, batch: Batch) -> Tensor:
        """The best tag of each step (B, T)."""
        scores = self(batch)
        if self.dependence is None:
            return scores.argmax(-1)
        return self.dependence.chain(scores, batch.words.lengths).best_path()[0]

    @torch.inference_mode()
    def probabilities(self, sentence: Sequence[str]) -> Tensor:
        """How likely each tag is for each token of one sentence: (T, K), rows that sum to 1."""
        was_training = self.training
        self.eval()
        scores = self(self.encode([sentence]).to(self.output.weight.device))
        self.train(was_training)
        return (scores.softmax(-1) if self.dependence is None else self.dependence.chain(scores).marginals())[0]

    @torch.inference_mode()
    def tag(self, sentences: Sequence[Sequence[str]], batch_size: int = 64) -> list[list[str]]:
        """The best tag of every token, as BIO that chunks can be read off. Sentences are lists of tokens."""
        if isinstance(sentences, str) or any(isinstance(sentence, str) for sentence in sentences):
            raise UsageError('Tagger.tag: a sentence came as one string; wanted a list of tokens, as in "a b".split()')
        was_training = self.training
        self.eval()
        tagged: list[list[str]] = [[] for _ in sentences]
        full = [number for number, sentence in enumerate(sentences) if len(sentence)]
        for rows in evaluation_batches([len(sentences[n]) for n in full], batch_size):
            chosen = [full[row] for row in rows]
            batch = self.encode([sentences[n] for n in chosen]).to(self.output.weight.device)
            for number, best in zip(chosen, self.best(batch).tolist(), strict=True):
                length = len(sentences[number])
                tagged[number] = list(to_bio([self.tags[k] for k in best[:length]], "bio")[0])
        self.train(was_training)
        return tagged


def dependence_of(model: TaggerOptions, tags: Sequence[str]) -> ChainOutput | None:
    """The output over a chain that the options ask for; None for softmax."""
    if model.output == "softmax":
        return None
    rules = tag_rules(tags)
    if model.output == "svm":
        outside = tags.index("O") if "O" in tags else None
        return StructuredSVM(len(tags), rules, outside, model.cost_missed, model.cost_invented)
    return (CRF if model.output == "crf" else StructuredPerceptron)(len(tags), rules)


def load_tagger(config: dict[str, Any], weights: dict[str, Tensor], path: object) -> Tagger:
    """Build the tagger a model folder describes."""
    try:
        tagger = Tagger(config["model"], config["vocabulary"])
        tagger.to(next(iter(weights.values())).dtype)
        tagger.load_state_dict(weights)
    except (KeyError, TypeError, RuntimeError, ValueError, AttributeError, StopIteration) as error:
        raise ModelError(f"{path} is a damaged model, or one of another version of Timeloom: {error}") from error
    return tagger.eval()
