"""Symbols and their numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from timeloom.core import DataError, UsageError

PAD, UNKNOWN = "<pad>", "<unk>"


@dataclass(frozen=True)
class Vocabulary:
    """Symbols in the order of their ids. `list(vocabulary.symbols)` is all that JSON has to keep.

    Where there is a `<pad>` it comes first, so that padding is id 0. Where there is an `<unk>`, every unknown symbol
    has its id; without one (labels, tags) an unknown symbol is an error. `counts` says how often each symbol was seen
    when the vocabulary was built, 0 for the specials; None for one that was read from a file.
    """

    symbols: tuple[str, ...]
    counts: tuple[int, ...] | None = field(default=None, compare=False)
    ids: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "symbols", tuple(self.symbols))
        object.__setattr__(self, "ids", {symbol: i for i, symbol in enumerate(self.symbols)})
        if len(self.ids) != len(self.symbols):
            twice, _ = Counter(self.symbols).most_common(1)[0]
            raise DataError(f"Vocabulary: the symbol '{twice}' stands in it twice, wanted each once")
        if self.ids.get(PAD, 0) != 0:
            raise DataError(f"Vocabulary: {PAD} has the id {self.ids[PAD]}, wanted 0")

    @staticmethod
    def build(tokens: Iterable[str], min_count: int = 1, specials: Sequence[str] = (PAD, UNKNOWN)) -> Vocabulary:
        """The specials, then every token seen at least `min_count` times: most frequent first, ties by code point.

        A token that is spelt like a special is that special (the Penn Treebank has its own `<unk>`).
        """
        if min_count < 1:
            raise UsageError(f"min_count is {min_count}, wanted 1 or more")
        seen = Counter(tokens)
        for special in specials:
            seen.pop(special, None)
        kept = sorted((token for token in seen if seen[token] >= min_count), key=lambda token: (-seen[token], token))
        return Vocabulary((*specials, *kept), (*[0] * len(specials), *[seen[token] for token in kept]))

    def encode(self, tokens: Iterable[str]) -> list[int]:
        unknown = self.ids.get(UNKNOWN)
        if unknown is not None:
            return [self.ids.get(token, unknown) for token in tokens]
        try:
            return [self.ids[token] for token in tokens]
        except KeyError as error:
            raise DataError(
                f"'{error.args[0]}' is none of the {len(self)} known symbols ({', '.join(self.symbols[:5])}, ...), "
                f"and there is no {UNKNOWN} to stand for it.\n"
                "  Build the vocabulary from data that have it, or leave it out."
            ) from None

    def decode(self, ids: Iterable[int]) -> list[str]:
        """The symbols of ids between 0 and len - 1; any other is a DataError."""
        ids = list(ids)
        for i in ids:
            if not 0 <= i < len(self):
                raise DataError(f"the id {i} is not in the vocabulary, wanted 0 ≤ id < {len(self)}")
        return [self.symbols[i] for i in ids]

    def __len__(self) -> int:
        return len(self.symbols)

    def __contains__(self, symbol: object) -> bool:
        return symbol in self.ids
