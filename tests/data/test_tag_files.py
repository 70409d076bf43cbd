"""Tagged files as the field writes them: CoNLL-U, tags first, pairs, spans, arrays, blanks inside tokens."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from timeloom.core import DataError
from timeloom.data import Sentence, read_tagged, read_untagged

CONLLU = """# sent_id = 1
# text = Vámonos al mar.
1-2\tVámonos\t_\t_\t_\t_\t_\t_\t_\t_
1\tVamos\tir\tVERB\tV\tMood=Imp\t0\troot\t_\t_
2\tnos\tnosotros\tPRON\tP\t_\t1\tobj\t_\t_
2.1\tya\tya\tADV\t_\t_\t_\t_\t_\t_
3-4\tal\t_\t_\t_\t_\t_\t_\t_\t_
3\ta\ta\tADP\tE\t_\t5\tcase\t_\t_
4\tel\tel\tDET\tD\t_\t5\tdet\t_\t_
5\tmar\tmar\tNOUN\tN\t_\t1\tobl\t_\tSpaceAfter=No
6\t.\t.\tPUNCT\tZ\t_\t1\tpunct\t_\t_

1\tNew York\tNew York\tPROPN\tN\t_\t0\troot\t_\t_

"""
NER = [("fly to New York", "O O B-x I-x"), ("to Oslo", "O B-x")]


def put(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def pairs(sentences: list[Sentence]) -> list[tuple[str, str]]:
    return [(" ".join(one.tokens), " ".join(one.tags or ())) for one in sentences]


def refused(path: Path, format: str = "guess") -> str:
    with pytest.raises(DataError) as error:
        read_tagged(path, format)
    return str(error.value).replace(f"{path.parent}/", "")


def test_conllu(tmp_path: Path) -> None:
    path = put(tmp_path / "t", CONLLU)
    first, second = read_tagged(path)
    assert first.tokens == ("Vamos", "nos", "a", "el", "mar", ".")
    assert first.tags == ("VERB", "PRON", "ADP", "DET", "NOUN", "PUNCT")
    assert first.text == "Vámonos al mar."
    assert [first.text[start:end] for start, end in first.offsets] == ["Vámonos", "Vámonos", "al", "al", "mar", "."]
    assert (first.line, second.tokens) == (4, ("New York",))
    assert read_tagged(path, tag_column=7)[0].tags == ("root", "obj", "case", "det", "obl", "punct")
    assert read_tagged(path, feature_columns=[4])[0].features == (("V", "P", "E", "D", "N", "Z"),)
    assert [one.tokens for one in read_untagged(path)] == [first.tokens, second.tokens]
    assert next(read_untagged(io.StringIO(CONLLU[CONLLU.index("1-2") :]))).tokens == first.tokens


def test_conllu_that_is_none(tmp_path: Path) -> None:
    said = refused(put(tmp_path / "t", CONLLU + "1\tx\n"), "conllu")
    assert said.startswith("t:15: no line of CoNLL-U: wanted 10 columns")
    with pytest.raises(DataError, match="so there is no column 10"):
        read_tagged(put(tmp_path / "t", CONLLU), tag_column=10)


def test_tags_first(tmp_path: Path) -> None:
    text = "O\tfly\nO\tto\nB-x\tNew\nI-x\tYork\n\nO\tto\nB-x\tOslo\n"
    notes: list[str] = []
    path = tmp_path / "t"
    for separator in "\t ":
        put(path, text.replace("\t", separator))
        assert pairs(read_tagged(path, note=notes.append)) == NER
        assert [one.tokens for one in read_untagged(path, "conll")][1] == ("to", "Oslo")
    assert notes == ["tags stand in the first column and words in the second (--token_column 1 --tag_column 0)"] * 2
    assert pairs(read_tagged(path, "conll", 1, 0)) == NER


def test_blanks_inside_tokens_where_tabs_part_columns(tmp_path: Path) -> None:
    notes: list[str] = []
    path = put(tmp_path / "t", "# text = to New York\nto\tO\nNew York\tB-x\n\nOslo \tB-x\t\n")
    found = read_tagged(path, note=notes.append)
    assert [one.tokens for one in found] == [("to", "New York"), ("Oslo",)]
    assert found[0].tags == ("O", "B-x")
    assert notes == ["1 tokens have blanks in them, as 'New York'; each is one token, which raw text never has"]
    assert [one.tokens for one in read_untagged(path, "conll")] == [("to", "New York"), ("Oslo",)]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("fly:O to:O New:B-x York:I-x\n\nto:O Oslo:B-x\n", NER),
        ("The/DT 1\\/2/CD dog/NN ://:\n", [("The 1\\/2 dog :/", "DT CD NN :")]),
        ("a|X b:c|Y\n", [("a b:c", "X Y")]),
    ],
)
def test_words_joined_to_their_tags(tmp_path: Path, text: str, wanted: list[tuple[str, str]]) -> None:
    path = put(tmp_path / "t", text)
    assert pairs(read_tagged(path)) == pairs(read_tagged(path, "pairs")) == wanted
    assert [" ".join(one.tokens) for one in read_untagged(path, "pairs")] == [words for words, _ in wanted]


def test_a_word_without_its_tag(tmp_path: Path) -> None:
    assert refused(put(tmp_path / "t", "a/X b/Y\nc\n"), "pairs").startswith("t:2: 'c' is not a word, / and a tag")


TEXT = "Ada Lovelace met Babbage's friends. In London, she wrote."
SPANS: list[tuple[str, Any]] = [
    ("entities", [[0, 12, "PER"], [17, 24, "PER"], [39, 45, "LOC"]]),
    ("label", [[39, 46, "LOC"], [0, 13, "PER"], [17, 24, "PER"]]),
    (
        "spans",
        [
            {"start": 0, "end": 12, "label": "PER"},
            {"start_offset": 17, "end_offset": 24, "type": "PER"},
            {"start": 39, "end": 45, "label": "LOC"},
        ],
    ),
]


@pytest.mark.parametrize(("key", "spans"), SPANS)
def test_spans(tmp_path: Path, key: str, spans: Any) -> None:
    record = {"text": TEXT, key: [[39, 45, "LOC"], *spans[1:]] if key == "label" else spans, "id": 3}
    path = put(tmp_path / "t", json.dumps(record) + "\n" + json.dumps({**record, key: []}) + "\n")
    found = read_tagged(path)
    assert pairs(found)[:2] == [
        ("Ada Lovelace met Babbage 's friends .", "B-PER I-PER O B-PER O O O"),
        ("In London , she wrote .", "O B-LOC O O O O"),
    ]
    assert len(found) == 4
    assert found[1].text == TEXT
    assert TEXT[slice(*found[1].offsets[1])] == "London"


def test_spans_as_spacy_writes_them(tmp_path: Path) -> None:
    rows = [["In New York", {"entities": [[3, 11, "big city"]]}], ["ok", {"entities": []}]]
    wanted = [("In New York", "O B-big_city I-big_city"), ("ok", "O")]
    assert pairs(read_tagged(put(tmp_path / "a", json.dumps(rows)))) == wanted
    assert pairs(read_tagged(put(tmp_path / "b", "\n".join(map(json.dumps, rows))))) == wanted


def test_a_span_is_not_cut_by_the_end_of_a_sentence(tmp_path: Path) -> None:
    record = {"text": "See Yahoo! Inc. now. Then.", "entities": [[4, 15, "ORG"]]}
    (first, _) = read_tagged(put(tmp_path / "t", json.dumps(record)))
    assert (first.tags or ())[:4] == ("O", "B-ORG", "I-ORG", "I-ORG")


@pytest.mark.parametrize(
    ("spans", "said"),
    [
        ([[0, 4, "A"], [3, 5, "B"]], 't:1: "entities" has spans that overlap'),
        ([[3, 3, "A"]], 't:1: "entities" holds'),
        ([[0, 99, "A"]], "wanted [start, end"),
        ([[0, "3", "A"]], "wanted [start, end"),
        ([[True, 3, "A"]], "wanted [start, end"),
        ([[0, 3, " "]], "wanted [start, end"),
        ([[2, 3, "A"]], "marks nothing but blanks"),
        (["A"], "wanted [start, end"),
    ],
)
def test_spans_that_are_none(tmp_path: Path, spans: Any, said: str) -> None:
    assert said in refused(put(tmp_path / "t", json.dumps({"text": "ab cd", "entities": spans})))


def test_arrays_and_other_keys(tmp_path: Path) -> None:
    rows = [{"words": words.split(), "ner_tags": tags.split()} for words, tags in NER]
    for text in (json.dumps(rows), json.dumps(rows, indent=2), "\n".join(map(json.dumps, rows))):
        path = put(tmp_path / "t", text)
        assert pairs(read_tagged(path)) == NER
        assert [one.tokens for one in read_untagged(path)][1] == ("to", "Oslo")
    assert [one.line for one in read_tagged(put(tmp_path / "t", json.dumps(rows, indent=2)))] == [2, 16]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[{"tokens": ["a"], "tags": ["O"]},\n{"tokens": ["a"]}]', 't:2: there is no "tags"'),
        ('[\n{"tokens": ["a"], "tags": ["O"]}\n{', "t:3: not JSON: wanted a comma or ]"),
        ('[{"tokens": ["a"], "tags": ["O"]}', "t:1: not JSON: wanted a comma or ]"),
        ('[{"tokens": ["a"], "tags": ["O"]}] 3', "t:1: not JSON: behind the end of the array stands '3'"),
        ('[{"tokens": ["a"], \n', "t:1: not JSON: "),
        ("[[1, 2]]", "t:1: not a JSON object"),
        ('{"tokens": ["a", "b"], "ner_tags": [0, 3]}', 't:1: "ner_tags" holds numbers'),
    ],
)
def test_arrays_that_are_none(tmp_path: Path, text: str, said: str) -> None:
    assert refused(put(tmp_path / "t", text)).startswith(said)


def test_a_bracket_may_be_a_token(tmp_path: Path) -> None:
    assert pairs(read_tagged(put(tmp_path / "t", "[ O\nOslo B-x\n"))) == [("[ Oslo", "O B-x")]


def test_columns_of_plain_tags_are_found(tmp_path: Path) -> None:
    rows = "The DT\ndog NN\nbarks VBZ\n\nA DT\ncat NN\n"
    assert "Every line has 2 columns" in refused(put(tmp_path / "t", rows))
    wanted = [("The dog barks", "DT NN VBZ"), ("A cat", "DT NN")]
    assert pairs(read_tagged(put(tmp_path / "t", rows.replace(" ", "\t")))) == wanted
    assert pairs(read_tagged(put(tmp_path / "t.conll", rows))) == wanted
    assert pairs(read_tagged(put(tmp_path / "t", rows + "\n" + rows))) == wanted * 2
    assert pairs(read_tagged(put(tmp_path / "t", rows), scheme="plain")) == wanted
    four = "The DT B-NP O\ndog NN I-NP O\n"
    assert pairs(read_tagged(put(tmp_path / "t", four), tag_column=1)) == [("The dog", "DT NN")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{\n "tokens": ["a"],\n "tags": ["O"]\n}\n', "It looks like JSON over several lines"),
        ("<doc>\n<s>a</s>\n", "It looks like XML"),
        ("word,tag\na,O\nb,B-x\n", "It looks like a table with commas"),
        ("word;tag\na;O\nb;B-x\n", "It looks like a table with semicolons"),
        ("i want to fly\nsoon\n", "Name the format"),
    ],
)
def test_what_is_not_read_says_what_it_may_be(tmp_path: Path, text: str, said: str) -> None:
    assert said in refused(put(tmp_path / "t", text))
