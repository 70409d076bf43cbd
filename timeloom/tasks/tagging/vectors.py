"""Word vectors from a file, for the words of a vocabulary and more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from timeloom.core import DataError
from timeloom.data import read_vectors
from timeloom.tasks.tagging.options import TaggerOptions
from timeloom.train import Watch


def words_with_vectors(
    words: Sequence[str], counts: Mapping[str, int], path: str, kept: int, options: TaggerOptions, watch: Watch
) -> tuple[list[str], list[int], Tensor]:
    """A longer vocabulary, the numbers of those of its words that have a vector in the file, and the vectors.

    Args:
        words: The vocabulary, which keeps its place.
        counts: How often the training data have each word; those that were too rare for the vocabulary join it where
            they have a vector.
        path: The file.
        kept: How many of the file's first words join the vocabulary without being in the training data.
        options: Of the tagger: how wide a vector is, and what form a word has.
        watch: Hears how many words have a vector.
    """
    lower = {word.lower() for word in counts}
    found, rows = read_vectors(
        path,
        options.embedding_size,
        lambda word, place: place < kept or (form := options.normal_form(word)) in counts or form in lower,
    )
    row_of: dict[str, int] = {}
    for row, word in enumerate(found):
        row_of.setdefault(options.normal_form(word), row)
    of_training = {word: row_of.get(word, row_of.get(word.lower())) for word in counts}
    missing = [word for word, row in of_training.items() if row is None]
    if len(missing) == len(counts):
        raise DataError(
            f"has a vector for none of the {len(counts)} words of the training data.\n"
            "  Check that it is of the same language, and try --lowercase or --no_digits.",
            path,
        )
    in_lower = sum(row is not None and word not in row_of for word, row in of_training.items())
    more = [word for word in row_of if word not in counts and word not in words]
    watch.note(
        f"{path}: {len(counts) - len(missing)} of the {len(counts)} words of the training data have a vector"
        + (f", {in_lower} of them in lower case only" if in_lower else "")
        + (f"; {len(missing)} have none: {', '.join(missing[:8])}{', ...' if len(missing) > 8 else ''}" * bool(missing))
        + (f"; {len(more)} more words of the file are known too" if more else "")
    )
    row_of_word = {word: row for word, row in of_training.items() if row is not None} | {w: row_of[w] for w in more}
    longer = list(dict.fromkeys([*words, *row_of_word]))
    numbers = {word: number for number, word in enumerate(longer)}
    return longer, [numbers[word] for word in row_of_word], rows[list(row_of_word.values())]
