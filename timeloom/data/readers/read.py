"""Any file of sentences, tagged or not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import IO

from timeloom.core import DataError, UsageError
from timeloom.data.limits import MORE, current
from timeloom.data.readers.conll import tagged_conll, untagged_conll
from timeloom.data.readers.folder import tagged_folder, untagged_folder
from timeloom.data.readers.guess import guess_tagged, guess_untagged
from timeloom.data.readers.jsonlines import tagged_json, untagged_json
from timeloom.data.readers.lines import tagged_lines
from timeloom.data.readers.text import Lines, numbered_lines
from timeloom.data.sentence import Sentence

TAGGED_FORMATS = ("guess", "conll", "folder", "jsonlines", "lines")
UNTAGGED_FORMATS = ("guess", "conll", "folder", "jsonlines", "lines", "text")


def read_tagged(
    path: str | Path,
    format: str = "guess",
    token_column: int = 0,
    tag_column: int = -1,
    feature_columns: Sequence[int] = (),
) -> list[Sentence]:
    """All sentences of a file (.gz too) or a folder, each with tags as they are written there.

    Args:
        path: The file, or for "folder" the folder with seq.in and seq.out.
        format: One of TAGGED_FORMATS; "guess" looks at the content.
        token_column: For "conll", the column of the tokens, counted from 0.
        tag_column: For "conll", the column of the tags; -1 is the last.
        feature_columns: For "conll", the columns of features of the tokens.

    Raises:
        DataError: with file and line, for whatever is not as the format has it; also for a file without a sentence.
    """
    path = Path(path)
    check_format(format, TAGGED_FORMATS)
    if format == "folder" or (format == "guess" and path.is_dir()):
        sentences = list(tagged_folder(path))
    else:
        lines = list(numbered_lines(path))
        if not any(line.strip() for _, line in lines):
            raise DataError("the file is empty, sentences were wanted", path)
        if format == "guess":
            format = guess_tagged(lines, path, tag_column)
        if format == "conll":
            sentences = list(tagged_conll(lines, path, token_column, tag_column, feature_columns))
        else:
            sentences = list({"jsonlines": tagged_json, "lines": tagged_lines}[format](lines, path))
    if not sentences:
        raise DataError("there is no sentence in it", path)
    if feature_columns and not sentences[0].features:
        raise no_features(path)
    return list(within_limit(sentences, path))


def read_untagged(
    source: str | Path | IO[str] | IO[bytes],
    format: str = "guess",
    token_column: int = 0,
    feature_columns: Sequence[int] = (),
) -> Iterator[Sentence]:
    """Sentences without tags, one by one as they come, from a file (.gz too), a folder or an open stream.

    "text" has one sentence a line, its tokens parted by blanks; empty lines are skipped. "conll" has one token a line,
    in the column `token_column`, and features of it in the columns `feature_columns`; "lines" has tokens before a tab,
    and tags behind it that are not looked at. A file without a sentence is a DataError; a stream that brings none has
    simply ended.
    """
    check_format(format, UNTAGGED_FORMATS)
    count = 0
    name = source if isinstance(source, str | Path) else getattr(source, "name", "<stream>")
    for sentence in within_limit(untagged(source, format, token_column, feature_columns), name):
        count += 1
        if feature_columns and not sentence.features:
            raise no_features(name)
        yield sentence
    if count == 0 and isinstance(source, str | Path):
        raise DataError("there is no sentence in it", source)


def within_limit(sentences: Iterable[Sentence], name: str | Path) -> Iterator[Sentence]:
    most = current.get().sentence
    for sentence in sentences:
        if len(sentence.tokens) > most:
            raise DataError(
                f"a sentence of {len(sentence.tokens)} tokens, more than {most:g}.\n"
                f"  Put an empty line, or the end of a line, where a sentence ends. {MORE}",
                name,
                sentence.line,
            )
        yield sentence


def no_features(path: str | Path) -> DataError:
    return DataError(
        "features of tokens were wanted, and only CoNLL columns have them.\n"
        "  Give the file in columns, or say --format conll if it is.",
        path,
    )


def untagged(
    source: str | Path | IO[str] | IO[bytes], format: str, token_column: int, feature_columns: Sequence[int]
) -> Iterator[Sentence]:
    if isinstance(source, str | Path) and (format == "folder" or (format == "guess" and Path(source).is_dir())):
        return untagged_folder(Path(source))
    if format == "folder":
        raise UsageError("a stream cannot be read as a folder; name the folder's path")
    name = source if isinstance(source, str | Path) else getattr(source, "name", "<stream>")
    lines: Lines = numbered_lines(source)
    if format == "guess":
        # Of a stream only one line: somebody may be waiting for its answer before typing the next.
        lines, first = with_first(lines, 50 if isinstance(source, str | Path) else 1)
        format = guess_untagged(first, str(name))
    if format == "jsonlines":
        return untagged_json(lines, name)
    if format == "lines":
        return untagged_text((number, line.partition("\t")[0]) for number, line in lines)
    return untagged_conll(lines, name, token_column, feature_columns) if format == "conll" else untagged_text(lines)


def untagged_text(lines: Lines) -> Iterator[Sentence]:
    for number, line in lines:
        if tokens := line.split():
            yield Sentence(tuple(tokens), line=number)


def with_first(lines: Lines, count: int) -> tuple[Lines, list[str]]:
    """The same lines again, and the first `count` of them that are not empty, up to an empty one after them."""
    remaining = iter(lines)
    seen, first = [], []
    for number, line in remaining:
        seen.append((number, line))
        if line.strip():
            first.append(line)
        if len(first) == count or (first and not line.strip()):
            break
    return chain(seen, remaining), first


def check_format(format: str, known: tuple[str, ...]) -> None:
    if format not in known:
        raise UsageError(f"there is no format '{format}' here, wanted one of {', '.join(known)}")
