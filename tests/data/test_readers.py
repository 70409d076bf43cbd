"""Readers of tagged text: each format by hand, there and back with odd tokens, and every way a file can be wrong."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeloom.core import DataError, UsageError
from timeloom.data import Sentence, read_documents, read_tagged, read_untagged

BLANK = " \t\r\n"
TOKENS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters=BLANK + "\ufeff"), min_size=1, max_size=5)
TAGGED = st.tuples(TOKENS, st.sampled_from(["O", "B-x", "I-x", "B-größe"]))
CORPORA = st.lists(st.lists(TAGGED, min_size=1, max_size=5), min_size=1, max_size=4)

CONLL = "fly O\nto O\nNew B-x\nYork I-x\n\nto O\nOslo B-x\n"
LINES = "fly to New York\tO O B-x I-x\nto Oslo\tO B-x\n"
ATIS = "BOS fly to New York EOS\tO O O B-x I-x go\nBOS to Oslo EOS\tO O B-x stay\n"
JSON = '{"tokens": ["fly", "to", "New", "York"], "tags": ["O", "O", "B-x", "I-x"], "label": "go"}\n' + (
    '{"tokens": ["to", "Oslo"], "tags": ["O", "B-x"], "label": null}\n'
)
CONTENT = [(("fly", "to", "New", "York"), ("O", "O", "B-x", "I-x")), (("to", "Oslo"), ("O", "B-x"))]


def put(path: Path, content: str | bytes) -> Path:
    data = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def put_folder(path: Path, tokens: str, tags: str, labels: str | None = None) -> Path:
    path.mkdir()
    put(path / "seq.in", tokens)
    put(path / "seq.out", tags)
    if labels is not None:
        put(path / "label", labels)
    return path


def pairs(sentences: list[Sentence]) -> list[tuple[tuple[str, ...], tuple[str, ...] | None]]:
    return [(sentence.tokens, sentence.tags) for sentence in sentences]


def refused(path: Path, format: str = "guess", **columns: Any) -> str:
    with pytest.raises(DataError) as error:
        read_tagged(path, format, **columns)
    return str(error.value).replace(f"{path.parent}/", "")


@pytest.mark.parametrize("suffix", ["", ".gz", ".txt", ".txt.gz"])
@pytest.mark.parametrize("ends", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["no BOM", "BOM"])
@pytest.mark.parametrize(
    ("format", "text", "labels"),
    [
        ("conll", CONLL, [None, None]),
        ("conll", CONLL.replace(" ", " \t NN  "), [None, None]),
        ("conll", CONLL.replace(" ", "\t").rstrip("\n"), [None, None]),
        ("lines", LINES, [None, None]),
        ("lines", ATIS, ["go", "stay"]),
        ("jsonlines", JSON, ["go", None]),
    ],
    ids=["conll", "three columns", "no last newline", "lines", "atis", "jsonlines"],
)
def test_formats_named_and_guessed(
    tmp_path: Path, format: str, text: str, labels: list[str | None], mark: bytes, ends: bytes, suffix: str
) -> None:
    path = put(tmp_path / f"t{suffix}", mark + text.encode().replace(b"\n", ends))
    named = read_tagged(path, format)
    assert pairs(named) == CONTENT
    assert [sentence.label for sentence in named] == labels
    assert named == read_tagged(path)
    assert named[0].line == 1


@pytest.mark.parametrize("labels", ["go\nstay\n", None])
def test_folder(tmp_path: Path, labels: str | None) -> None:
    folder = put_folder(tmp_path / "d", "fly to New York \nto Oslo\n", "O O B-x I-x\nO B-x\n", labels)
    assert pairs(read_tagged(folder)) == CONTENT
    assert [sentence.label for sentence in read_tagged(folder, "folder")] == (
        ["go", "stay"] if labels else [None, None]
    )
    (folder / "seq.in.gz").write_bytes(gzip.compress((folder / "seq.in").read_bytes()))
    (folder / "seq.in").unlink()
    assert pairs(read_tagged(folder)) == CONTENT
    assert [sentence.tokens for sentence in read_untagged(folder)] == [tokens for tokens, _ in CONTENT]


@given(CORPORA)
def test_conll_there_and_back(tmp_path_factory: pytest.TempPathFactory, corpus: list[list[tuple[str, str]]]) -> None:
    path = put(
        tmp_path_factory.mktemp("t") / "t.gz",
        "# made by a test\n" + "\n\n".join("\n".join(f"{w}\t{t}" for w, t in sentence) for sentence in corpus),
    )
    kept = [[pair for pair in sentence if pair[0] not in ("-DOCSTART-",)] for sentence in corpus]
    back = read_tagged(path, "conll")
    assert [list(zip(s.tokens, s.tags or (), strict=True)) for s in back] == [s for s in kept if s]


@given(CORPORA, st.booleans())
def test_jsonlines_there_and_back(
    tmp_path_factory: pytest.TempPathFactory, corpus: list[list[tuple[str, str]]], ascii: bool
) -> None:
    rows = [{"tokens": [w for w, _ in sentence], "tags": [t for _, t in sentence]} for sentence in corpus]
    path = put(
        tmp_path_factory.mktemp("t") / "t", "\n".join(json.dumps(row, ensure_ascii=ascii) for row in rows) + "\n"
    )
    back = read_tagged(path)
    assert [list(zip(s.tokens, s.tags or (), strict=True)) for s in back] == corpus


@given(CORPORA)
def test_folder_and_lines_there_and_back(
    tmp_path_factory: pytest.TempPathFactory, corpus: list[list[tuple[str, str]]]
) -> None:
    tokens = [" ".join(w for w, _ in sentence) for sentence in corpus]
    tags = [" ".join(t for _, t in sentence) for sentence in corpus]
    root = tmp_path_factory.mktemp("t")
    folder = put_folder(root / "d", "\n".join(tokens) + "\n", "\n".join(tags) + "\n")
    assert [list(zip(s.tokens, s.tags or (), strict=True)) for s in read_tagged(folder)] == corpus
    both = "\r\n".join(f"{words}\t{row}" for words, row in zip(tokens, tags, strict=True))
    back = read_tagged(put(root / "lines", both), "lines")
    if not any(sentence[0][0] == "BOS" or sentence[-1][0] == "EOS" for sentence in corpus):
        assert [list(zip(s.tokens, s.tags or (), strict=True)) for s in back] == corpus


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("# # B-NP\nof IN O\n", ["#", "of"]),
        ("# # O\n", ["#"]),
        ("the DT B-NP\n# # I-NP\n", ["the", "#"]),
        ("# a comment\nof IN O\n", ["of"]),
        ("# text = of\n# sent_id = 3\nof IN O\n", ["of"]),
        ("# newdoc id\nof IN O\n", ["of"]),
        ("#begin document (x); part 000\nof IN O\n\n#end document\n", ["of"]),
        ("#tag NN B-NP\nof IN O\n", ["#tag", "of"]),
        ("# only\n\n# comments here\n\nof IN O\n", ["of"]),
        ("-DOCSTART- -X- O\n\nof IN O\n", ["of"]),
        ("-DOCSTART- O\nof IN O\n", ["of"]),
    ],
)
def test_comments_and_tokens_that_look_like_them(tmp_path: Path, text: str, tokens: list[str]) -> None:
    path = put(tmp_path / "t", text)
    found = read_tagged(path)
    assert [token for sentence in found for token in sentence.tokens] == tokens
    lines = text.splitlines()
    assert lines[(found[0].line or 0) - 1].split()[0] == tokens[0]


def test_inside_a_sentence_nothing_is_a_comment(tmp_path: Path) -> None:
    assert refused(put(tmp_path / "t", "a DT O\n# no comment here\n")).startswith("t:2: 4 columns, wanted 3")


def test_a_document_line_ends_a_sentence_and_lines_are_counted(tmp_path: Path) -> None:
    found = read_tagged(put(tmp_path / "t", "\n\na O\nb O\n-DOCSTART- O\n# c\nd O\n\n\ne O\n"))
    assert [(sentence.tokens, sentence.line) for sentence in found] == [(("a", "b"), 3), (("d",), 7), (("e",), 10)]
    assert [found[0].line_of(position) for position in (0, 1)] == [3, 4]


def test_columns_can_be_named(tmp_path: Path) -> None:
    path = put(tmp_path / "t", "1 B-x a B-y\n2 O b O\n")
    assert pairs(read_tagged(path, "conll", 2, 1)) == [(("a", "b"), ("B-x", "O"))]
    assert pairs(read_tagged(path, token_column=-2)) == [(("a", "b"), ("B-y", "O"))]
    with pytest.raises(UsageError, match="column 3 cannot hold both"):
        read_tagged(path, token_column=3)


def test_other_blanks_are_part_of_a_token(tmp_path: Path) -> None:
    token = "1\u00a0000\u2028x\u0085"
    assert pairs(read_tagged(put(tmp_path / "t", f"{token} O\n"))) == [((token,), ("O",))]


@pytest.mark.parametrize(
    ("format", "text", "said"),
    [
        ("guess", "", "t: the file is empty"),
        ("guess", " \n\t\n", "t: the file is empty"),
        ("conll", "# a comment\n", "t: there is no sentence"),
        ("conll", "a O\nb\n", "t:2: 1 columns, wanted 2"),
        ("guess", "a O\n\nb c O\n", "t:3: 3 columns, wanted 2"),
        ("conll", "a\nb\n", "t:1: 1 columns, wanted a token in column 0 and a tag in column -1"),
        ("lines", "a b O O\n", "t:1: 0 tabs, wanted one"),
        ("guess", "a b\tO O\na b\tO\n", "t:2: 1 tags, wanted 2"),
        ("guess", "a b c\tO O\n", "t:1: 2 tags, wanted 3"),
        ("lines", "BOS EOS\tO go\n", "t:1: no tokens"),
        ("guess", JSON + "{\n", "t:3: not JSON"),
        ("jsonlines", "[1]\n", "t:1: not a JSON object"),
        ("jsonlines", "[" * 100_000, "t:1: not JSON"),
        ("guess", '{"tokens": ["a"]}\n', 't:1: there is no "tags"'),
        ("guess", '{"tags": ["a"]}\n', 't:1: there is no "tokens"'),
        ("guess", '{"tokens": "a", "tags": ["O"]}\n', 't:1: "tokens" is'),
        ("guess", '{"tokens": [], "tags": []}\n', 't:1: "tokens" is'),
        ("guess", '{"tokens": [3], "tags": ["O"]}\n', 't:1: "tokens" holds'),
        ("guess", '{"tokens": ["a b"], "tags": ["O"]}\n', 't:1: "tokens" holds'),
        ("guess", '{"tokens": ["\\ud800"], "tags": ["O"]}\n', 't:1: "tokens" holds'),
        ("guess", '{"tokens": ["a"], "tags": ["O"], "label": "\\ud83d"}\n', 't:1: "label" holds \\ud83d, half of'),
        ("guess", '{"tokens": ["a"], "tags": ["O", "O"]}\n', "t:1: 2 tags, wanted 1"),
        ("guess", '{"tokens": ["a"], "tags": ["O"], "label": 3}\n', 't:1: "label" is'),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, format: str, text: str, said: str) -> None:
    assert refused(put(tmp_path / "t", text), format).startswith(said)


def test_columns_that_are_not_there(tmp_path: Path) -> None:
    assert "t:1: 2 columns, wanted a token in column 0 and a tag in column 2" in refused(
        put(tmp_path / "t", "a O\n"), "conll", tag_column=2
    )


@pytest.mark.parametrize("text", ["\n# hello\ni want to fly\nsoon\n", "\n\nword\n", "\nx\n{\n"])
def test_nothing_fits(tmp_path: Path, text: str) -> None:
    said = refused(put(tmp_path / "t", text))
    number = next(n for n, line in enumerate(text.splitlines(), start=1) if line and not line.startswith("#"))
    line = text.splitlines()[number - 1]
    assert said.startswith(f"t:{number}: no known format fits this line: '{line}'")
    assert all(format in said for format in ("jsonlines", "lines", "conll"))


@pytest.mark.parametrize(
    ("tokens", "tags", "labels", "said"),
    [
        ("a\nb\n", "O\n", None, "seq.in:2: a line without its like in seq.out"),
        ("a\n", "O\nO\n", None, "seq.out:2: a line without its like in seq.in"),
        ("a\nb\n", "O\nO\n", "x\n", "seq.in:2: a line without its like in label"),
        ("a\n", "O\n", "x\ny\n", "label:2: a line without its like in seq.in"),
        ("a b\n", "O\n", None, "seq.out:1: 1 tags, wanted 2"),
        ("a\n\nb\n", "O\n\nO\n", None, "seq.in:2: an empty line"),
        ("a\n", "O\n", "\n", "label:1: an empty line"),
        ("", "", None, "there is no sentence"),
    ],
)
def test_folders_that_do_not_run_side_by_side(
    tmp_path: Path, tokens: str, tags: str, labels: str | None, said: str
) -> None:
    folder = put_folder(tmp_path / "d", tokens, tags, labels)
    with pytest.raises(DataError) as error:
        read_tagged(folder)
    assert said in str(error.value)
    assert str(folder) in str(error.value)


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["no BOM", "BOM"])
def test_bytes_that_are_not_utf8(tmp_path: Path, mark: bytes, suffix: str) -> None:
    content = mark + "é O\r\nb ".encode() + b"\xffO\n"
    said = refused(put(tmp_path / f"t{suffix}", content))
    assert said.startswith(f"t{suffix}:2: byte 0xff at offset {content.index(0xFF, 3)} is not UTF-8")


def test_files_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "there is no such file" in refused(tmp_path / "none")
    assert "there is no such file" in refused(tmp_path / "none.gz", "conll")
    assert "this is a folder, a file was wanted" in refused(tmp_path, "conll")
    assert "there is no seq.in in this folder" in refused(tmp_path)
    assert "there is no seq.in" in refused(put(tmp_path / "file", "a O\n"), "folder")
    (tmp_path / "plain.gz").write_bytes(b"a O\n")
    assert "not a whole gzip file" in refused(tmp_path / "plain.gz")
    (tmp_path / "cut.gz").write_bytes(gzip.compress(CONLL.encode())[:-9])
    assert "not a whole gzip file" in refused(tmp_path / "cut.gz")
    (tmp_path / "bent.gz").write_bytes(gzip.compress(CONLL.encode())[:12] + b"\xff" * 40)
    assert "not a whole gzip file" in refused(tmp_path / "bent.gz")

    def deny(*_: object, **__: object) -> None:  # the tests may run as root, whom chmod does not stop
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", deny)
    assert "this file may not be read" in refused(tmp_path / "file")


def test_unknown_formats(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no format 'text' here, wanted one of guess, conll, conllu, folder"):
        read_tagged(tmp_path, "text")
    with pytest.raises(UsageError, match="no format 'words' here"):
        next(read_untagged(tmp_path, "words"))
    with pytest.raises(UsageError, match="a stream cannot be read as a folder"):
        next(read_untagged(io.StringIO("a"), "folder"))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"text": "wow \\ud83d", "keyterms": []}', r't:1: "text" holds \\ud83d, half of a character'),
        ('{"text": "wow", "keyterms": ["a \\ud83d"]}', r't:1: "keyterms" holds \\ud83d'),
    ],
)
def test_half_a_character_in_a_document_is_named(tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read_documents(put(tmp_path / "t", line + "\n"), ["text"], "keyterms")
