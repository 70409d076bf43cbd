"""Text to numbers and back, whole or in pieces."""

from __future__ import annotations

import gzip
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeloom.core import DataError, UsageError
from timeloom.data import EOS, UNKNOWN, Level, TextOptions, Tokenizer, learn_tokenizer, pieces

TEXT = "Ein Wort, zwei Wörter.\nNoch ein Wort!\n"


def learned(level: Level, *, padded: bool = False, **options: bool) -> Tokenizer:
    return learn_tokenizer([TEXT] * 3, TextOptions(level, 300, **options), padded=padded)


@pytest.mark.parametrize("level", ["char", "bpe"])
def test_characters_and_pairs_come_back_as_they_were(level: Level) -> None:
    tokenizer = learned(level)
    assert tokenizer.decode(tokenizer.encode(TEXT)) == TEXT
    assert Tokenizer.of(tokenizer.config()) == tokenizer


def test_words_end_at_blanks_and_lines_at_a_symbol_of_their_own() -> None:
    tokenizer = learned("word")
    ids = tokenizer.encode("Wort, Mars\nein")
    assert tokenizer.vocabulary.decode(ids) == ["Wort,", UNKNOWN, EOS, "ein"]
    assert tokenizer.unknown("Wort, Mars\n") == ["Mars"]
    assert tokenizer.decode(tokenizer.encode("ein Wort,\nNoch")) == "ein Wort, \nNoch "
    assert tokenizer.never_written == [0]


def test_raw_text_is_parted_from_its_signs() -> None:
    tokenizer = learned("word", punctuation=True, lowercase=True, padded=True)
    assert tokenizer.vocabulary.decode(tokenizer.encode("WORT!\n zwei")) == ["wort", "!", "zwei"]
    assert tokenizer.never_written == [0, 1]


def test_pairs_know_every_character() -> None:
    tokenizer = learned("bpe")
    assert tokenizer.decode(tokenizer.encode("日本 é")) == "日本 é"
    assert tokenizer.unknown("日本") == []
    assert tokenizer.decode(tokenizer.encode("a <pad> b")) == "a <pad> b"
    assert learned("bpe", padded=True).encode("<pad>") != [0]
    assert "".join(tokenizer.written("Ein Wort")) == "Ein Wort"
    assert len(tokenizer.encode(TEXT)) < len(TEXT), "some pairs were learned"


def test_rare_symbols_are_unknown() -> None:
    tokenizer = learn_tokenizer(["a a a b b c"], TextOptions("word", 4))
    assert tokenizer.vocabulary.symbols == (UNKNOWN, EOS, "a", "b")
    tokenizer = learn_tokenizer(["a a a b b c"], TextOptions("word", 100, min_count=3))
    assert tokenizer.vocabulary.symbols == (UNKNOWN, EOS, "a")


def test_what_cannot_be_learned_is_said() -> None:
    with pytest.raises(UsageError, match="vocabulary is 100; byte pairs want 256"):
        learn_tokenizer([TEXT], TextOptions("bpe", 100))
    with pytest.raises(UsageError, match="vocabulary is 2, wanted more than 2"):
        learn_tokenizer([TEXT], TextOptions("word", 2))
    with pytest.raises(DataError, match="no text to learn from"):
        learn_tokenizer([], TextOptions("char", 10))


@given(st.text(alphabet="aé日𝄞 \n", max_size=60), st.integers(1, 9))
def test_pieces_are_the_text_whatever_their_size(
    tmp_path_factory: pytest.TempPathFactory, text: str, size: int
) -> None:
    path = tmp_path_factory.mktemp("pieces") / "text.txt"
    path.write_bytes(text.encode())
    found = list(pieces(path, size))
    assert "".join(found) == text
    assert all(found)


def test_line_ends_marks_and_gzip_are_seen_through(tmp_path: Path) -> None:
    (tmp_path / "windows.txt").write_bytes(b"\xef\xbb\xbfone\r\ntwo\r\n")
    for size in range(1, 12):
        assert "".join(pieces(tmp_path / "windows.txt", size)) == "one\ntwo\n"
    (tmp_path / "text.txt.gz").write_bytes(gzip.compress(b"one\ntwo"))
    assert "".join(pieces(tmp_path / "text.txt.gz")) == "one\ntwo"


@pytest.mark.parametrize("size", [1, 4, 7, 100])
def test_what_is_not_utf8_is_named_with_its_offset(tmp_path: Path, size: int) -> None:
    path = tmp_path / "latin.txt"
    path.write_bytes("zwei Wörter sind".encode() + b" caf\xe9 au lait")
    with pytest.raises(DataError, match=r"latin.txt: byte 0xe9 at offset 21 is not UTF-8"):
        list(pieces(path, size))
    path.write_bytes("cut in a ß".encode()[:-1])
    with pytest.raises(DataError, match="byte 0xc3 at offset 9"):
        list(pieces(path, size))


def test_a_long_text_is_read_in_flat_memory(tmp_path: Path) -> None:
    path = tmp_path / "long.txt"
    path.write_bytes(b"one line of a long text\n" * 2_000_000)  # 48 MB
    tokenizer = learn_tokenizer(["one line of a long text\n"], TextOptions("char", 100))
    tracemalloc.start()
    symbols = sum(len(text) for text in pieces(path))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert symbols == 48_000_000
    assert peak < 10_000_000
    assert len(tokenizer.vocabulary) > 5
