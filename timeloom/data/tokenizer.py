"""Text as numbers: characters, words, or byte pairs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Literal

from timeloom.core import DataError, UsageError
from timeloom.data.vocab import PAD, UNKNOWN, Vocabulary

Level = Literal["char", "word", "bpe"]
EOS = "<eos>"  # the end of a line, among words
WORD = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]")


@dataclass(frozen=True)
class TextOptions:
    """How text becomes symbols.

    Args:
        level: Characters, words, or byte pairs.
        vocabulary_size: Most symbols; of characters and words the most frequent are kept, the others are <unk>.
        min_count: Characters and words that train has fewer times than this are <unk>.
        lowercase: Put text into lower case.
        punctuation: Among words: take signs for words of their own, as raw text needs it. Without, words are what
            stands between blanks, and each end of a line is one more, <eos>.
    """

    level: Level = "word"
    vocabulary_size: int = 50_000
    min_count: int = 1
    lowercase: bool = False
    punctuation: bool = False

    def __post_init__(self) -> None:
        for name in ("vocabulary_size", "min_count"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)}, wanted 1 or more")


@dataclass(frozen=True)
class Tokenizer:
    """What text is cut into, and the numbers of the pieces.

        char    every character, the end of a line is one of them
        word    what stands between blanks; every end of a line is `<eos>`
        bpe     byte pairs (Sennrich et al. 2016), by the tokenizers library; nothing is unknown

    Args:
        level: Which of them.
        vocabulary: The symbols. Those of bpe are the library's.
        merges: What the tokenizers library writes of a trained bpe; empty for the others.
        lowercase: Whether text is put into lower case first.
        punctuation: Whether signs are words of their own, and the ends of lines none: for raw text.
    """

    level: Level
    vocabulary: Vocabulary
    merges: str = ""
    lowercase: bool = False
    punctuation: bool = False
    _pairs: Any = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        if self.level == "bpe":
            object.__setattr__(self, "_pairs", library().Tokenizer.from_str(self.merges))
            self._pairs.encode_special_tokens = True  # who writes <pad> in a text means these five signs

    def encode(self, text: str) -> list[int]:
        """The numbers of a text. What is not known has the number of `<unk>`, or is a DataError where there is none."""
        if self.level == "bpe":
            return self._pairs.encode(text.lower() if self.lowercase else text).ids
        return self.vocabulary.encode(split(text, self.level, self.lowercase, self.punctuation))

    def written(self, text: str) -> list[str]:
        """What stands in the text for each number that `encode` gives, unknown symbols as they are."""
        if self.level == "bpe":
            return [self.decode([number]) for number in self.encode(text)]
        return list(split(text, self.level, self.lowercase, self.punctuation))

    def unknown(self, text: str) -> list[str]:
        """The symbols of a text that are not known, in order."""
        if self.level == "bpe":
            return []
        symbols = split(text, self.level, self.lowercase, self.punctuation)
        return [symbol for symbol in symbols if symbol not in self.vocabulary]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of numbers; words with a blank behind each."""
        if self.level == "bpe":
            return self._pairs.decode(list(ids), skip_special_tokens=True)
        symbols = self.vocabulary.decode(ids)
        if self.level == "char":
            return "".join(symbols)
        return "".join("\n" if symbol == EOS else symbol + " " for symbol in symbols)

    @property
    def never_written(self) -> list[int]:
        """The numbers of symbols that stand for no text."""
        return [self.vocabulary.ids[name] for name in (PAD, UNKNOWN) if name in self.vocabulary]

    def config(self) -> dict[str, Any]:
        """All that JSON has to keep; `Tokenizer.of` reads it."""
        return {
            "level": self.level,
            "symbols": list(self.vocabulary.symbols) if self.level != "bpe" else [],
            "merges": self.merges,
            "lowercase": self.lowercase,
            "punctuation": self.punctuation,
        }

    @staticmethod
    def of(config: dict[str, Any]) -> Tokenizer:
        """The tokenizer that `config` was written of."""
        symbols = config["symbols"] if config["level"] != "bpe" else pair_symbols(config["merges"])
        vocabulary = Vocabulary(tuple(symbols))
        return Tokenizer(config["level"], vocabulary, config["merges"], config["lowercase"], config["punctuation"])


def split(text: str, level: Level, lowercase: bool = False, punctuation: bool = False) -> Iterable[str]:
    """The characters or the words of a text."""
    if lowercase:
        text = text.lower()
    if level == "char":
        return text
    return words_of(text) if punctuation else words_and_ends(text)


def words_of(text: str) -> list[str]:
    """The words of raw text, every sign a word of its own."""
    return WORD.findall(text)


def words_and_ends(text: str) -> Iterator[str]:
    first, *others = text.split("\n")
    yield from first.split()
    for line in others:
        yield EOS
        yield from line.split()


def learn_tokenizer(texts: Iterable[str], options: TextOptions, *, padded: bool = False) -> Tokenizer:
    """The tokenizer of some text.

    Args:
        texts: The text, in pieces that end between words; it is read through once.
        options: What a symbol is, and how many there are.
        padded: Whether number 0 is `<pad>`, for batches of texts.

    Raises UsageError for a size that leaves no room, DataError where there is no text.
    """
    level, size, lowercase, punctuation = options.level, options.vocabulary_size, options.lowercase, options.punctuation
    specials = [PAD] if padded else []
    if level == "bpe":
        merges = learn_pairs((text.lower() if lowercase else text for text in texts), size, specials)
        return Tokenizer("bpe", Vocabulary(tuple(pair_symbols(merges))), merges, lowercase)
    specials.append(UNKNOWN)
    if level == "word" and not punctuation:
        specials.append(EOS)
    if size <= len(specials):
        raise UsageError(f"the size of the vocabulary is {size}, wanted more than {len(specials)}")
    symbols = chain.from_iterable(split(text, level, lowercase, punctuation) for text in texts)
    whole = Vocabulary.build(symbols, options.min_count, specials)
    assert whole.counts is not None
    if len(whole) == len(specials):
        raise DataError("there is no text to learn from: no character or word is frequent enough")
    kept = Vocabulary(whole.symbols[:size], whole.counts[:size])
    return Tokenizer(level, kept, "", lowercase, punctuation)


def learn_pairs(texts: Iterable[str], size: int, specials: list[str]) -> str:
    if size < 256 + len(specials):
        raise UsageError(f"the size of the vocabulary is {size}; byte pairs want {256 + len(specials)} or more")
    kit = library()
    pairs = kit.Tokenizer(kit.models.BPE())
    pairs.pre_tokenizer = kit.pre_tokenizers.ByteLevel(add_prefix_space=False)
    pairs.decoder = kit.decoders.ByteLevel()
    trainer = kit.trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=specials,
        initial_alphabet=kit.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    pairs.train_from_iterator(texts, trainer)
    return pairs.to_str()


def pair_symbols(merges: str) -> list[str]:
    pairs = library().Tokenizer.from_str(merges)
    return [pairs.id_to_token(number) for number in range(pairs.get_vocab_size())]


def library() -> Any:
    """The tokenizers library, loaded by the first that needs byte pairs."""
    import tokenizers
    import tokenizers.decoders
    import tokenizers.models
    import tokenizers.pre_tokenizers
    import tokenizers.trainers

    return tokenizers
