"""Key terms: spans by enumeration, ranking by hand, and a model that learns which words are terms."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.tolerances import assert_close
from timeloom.chain import Chain
from timeloom.cli.main import main
from timeloom.core import DataError, ModelError
from timeloom.data import Document, read_documents
from timeloom.structured import tag_rules
from timeloom.tasks import Trained, load_as
from timeloom.tasks.keyterms import (
    DocumentFile,
    KeytermData,
    KeytermExtractor,
    KeytermOptions,
    KeytermScores,
    f1_of_first,
    train_keyterm_extractor,
)
from timeloom.tasks.keyterms.spans import (
    BEGIN,
    INSIDE,
    TAGS,
    occurrences,
    ranked_terms,
    span_probabilities,
    standing,
    tags_of,
)
from timeloom.train import TrainingOptions

SMALL = KeytermOptions(hidden_size=8, embedding_size=8, dropout=0.1, word_dropout=0.0)
DOCUMENTS = [
    {"text": f"we study the {noun} {kind} and show that it is fast", "keyterms": [f"{noun} {kind}", "speed"]}
    for noun in ("neural", "hidden", "linear", "robust")
    for kind in ("network", "chain", "tagger")
]


def words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def test_terms_are_found_whatever_their_case_and_longer_ones_first() -> None:
    document = Document(
        words("The Hidden Markov model , a markov Model"),
        (("markov", "model"), ("hidden", "markov", "model")),
    )
    assert [(chunk.start, chunk.end) for chunk in occurrences(document)] == [(1, 4), (6, 8)]
    assert [TAGS[tag] for tag in tags_of(document)] == ["O", "B-KEY", "I-KEY", "I-KEY", "O", "O", "B-KEY", "I-KEY"]


def test_terms_that_stand_in_a_document_count_once_each() -> None:
    inside = (("hidden", "markov", "model"), ("markov", "model"), ("speech",))
    assert standing(Document(words("A Hidden Markov Model , a HIDDEN markov model"), inside)) == list(inside[:2])


def test_probabilities_of_spans_are_those_of_all_paths() -> None:
    torch.manual_seed(0)
    T, longest = 5, 3
    rules = tag_rules(TAGS)
    transitions = torch.randn(3, 3, dtype=torch.float64).masked_fill(~rules.transitions, -torch.inf)
    start = torch.randn(3, dtype=torch.float64).masked_fill(~rules.start, -torch.inf)
    emissions = torch.randn(2, T, 3, dtype=torch.float64)
    lengths = torch.tensor([5, 3])
    found = span_probabilities(Chain(emissions, transitions, start, None, lengths), longest)
    for row, length in enumerate(lengths.tolist()):
        wanted, total = torch.zeros(T, longest, dtype=torch.float64), torch.zeros((), dtype=torch.float64)
        for path in itertools.product(range(3), repeat=length):
            score = start[path[0]] + sum(emissions[row, t, tag] for t, tag in enumerate(path))
            weight = (score + sum(transitions[a, b] for a, b in itertools.pairwise(path))).exp()
            total = total + weight
            for begin in range(length):
                end = begin + 1
                while end < length and path[end] == INSIDE:
                    end += 1
                if path[begin] == BEGIN and end - begin <= longest:
                    wanted[begin, end - begin - 1] += weight
        assert_close(found[row], wanted / total)


def test_a_term_that_stands_twice_is_one_unless_it_is_none_each_time() -> None:
    chances = torch.tensor([[0.5, 0.2], [0.1, 0.0], [0.5, 0.0], [0.9, 0.0]])
    ranked = dict(ranked_terms(["Chain", "rule", "chain", "."], chances))
    assert ranked[("chain",)] == pytest.approx(0.75)
    assert ranked[("chain", "rule")] == pytest.approx(0.2)
    assert (".",) not in ranked, "a sign alone is no term"


def test_f1_by_hand() -> None:
    documents = [Document((), (("a",), ("b",), ("c",))), Document((), (("d",),))]
    ranked = [[("a",), ("x",), ("b",)], [("y",)]]
    assert f1_of_first(ranked, documents, 2) == pytest.approx(200 * 1 / (3 + 4))
    assert f1_of_first(ranked, documents, 5) == pytest.approx(200 * 2 / (4 + 4))


def written(folder: Path, documents: list[dict[str, Any]] = DOCUMENTS, name: str = "train.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(document) + "\n" for document in documents))
    return path


def train(
    folder: Path, model: KeytermOptions = SMALL, name: str = "m", epochs: int = 25
) -> Trained[KeytermExtractor, KeytermScores]:
    path = str(written(folder))
    training = TrainingOptions(epochs=epochs, batch_size=4, learning_rate=0.02, keep="last")
    return train_keyterm_extractor(KeytermData(path, path), model, training, folder / name)


@pytest.mark.parametrize("extraction", ["tags", "attention"])
def test_it_learns_what_a_term_looks_like(tmp_path: Path, extraction: Any) -> None:
    run = train(tmp_path, replace(SMALL, extraction=extraction))
    assert run.valid.spans.overall.f1 == 100.0
    again = load_as(KeytermExtractor, tmp_path / "m")
    (found,) = again.extract([Document(words("we study the neural chain and show that it is fast"))])
    assert found.terms[0][0] == ("neural", "chain")
    assert [(span.start, span.end) for span in found.spans] == [(3, 5)]


def test_alone_as_in_company_and_without_words(tmp_path: Path) -> None:
    extractor = train(tmp_path, epochs=2).model.double()
    documents = [
        Document(words("the neural chain")),
        Document(()),
        Document(words("a hidden tagger is fast")),
    ]
    together = extractor.extract(documents)
    for document, found in zip(documents, together, strict=True):
        (alone,) = extractor.extract([document])
        assert [term for term, _ in alone.terms] == [term for term, _ in found.terms]
        assert [p for _, p in alone.terms] == pytest.approx([p for _, p in found.terms], rel=1e-9)
    assert together[1].terms == together[1].spans == []


def test_no_layer_looks_at_each_word_by_itself(tmp_path: Path) -> None:
    assert train(tmp_path, replace(SMALL, num_layers=0), epochs=2).model.encoder is None


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"keyterms": []}', 'train.jsonl:1: there is no text under "text"'),
        ('{"text": "a", "keyterms": 3}', 'train.jsonl:1: "keyterms" is .* wanted a list of strings'),
        ('{"text": "a", "keyterms": "b, c"}', "(?s)train.jsonl:1: .*Put semicolons between terms"),
        (
            '{"title": "a", "abstract": "b", "keyword": "c;d"}',
            r"""(?s)train.jsonl:1: .*--text_keys '\["title", "abstract"\]' --terms_key keyword""",
        ),
        ('{"text": "a", "keywords": ["b"]}', "(?s)train.jsonl:1: .*say --terms_key keywords"),
        ('{"text": "a"}', 'train.jsonl:1: "keyterms" is .null.'),
        ("", "train.jsonl: there is nothing in it"),
    ],
)
def test_what_is_no_document_names_file_and_line(tmp_path: Path, line: str, said: str) -> None:
    (tmp_path / "train.jsonl").write_text(line + "\n")
    with pytest.raises(DataError, match=said):
        DocumentFile().read(tmp_path / "train.jsonl")


def test_documents_put_several_texts_together(tmp_path: Path) -> None:
    path = written(tmp_path, [{"title": "A Chain", "body": "It is fast.", "terms": ["Chain", "CHAIN"]}])
    (document,) = read_documents(path, ["title", "body"], "terms")
    assert document == Document(("A", "Chain", ".", "It", "is", "fast", "."), (("chain",),), 1)


def test_terms_that_stand_nowhere_are_refused(tmp_path: Path) -> None:
    path = str(written(tmp_path, [{"text": "a b", "keyterms": ["c"]}] * 3))
    with pytest.raises(DataError, match="none of the 2 key terms stands in its document"):
        train_keyterm_extractor(KeytermData(path), SMALL, TrainingOptions(), tmp_path / "m")


def test_weights_that_are_not_numbers_are_named(tmp_path: Path) -> None:
    extractor = train(tmp_path, epochs=1).model
    with torch.no_grad():
        extractor.output.bias.fill_(torch.nan)
    with pytest.raises(ModelError, match="the weights of this model are damaged"):
        extractor.extract([Document(("a",))])


def test_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = str(written(tmp_path)), str(tmp_path / "m")
    small = ["--hidden_size=8", "--embedding_size=8", "--epochs=2", "--quiet"]
    assert main(["train", "keyterms", f"--train={path}", f"--test={path}", f"--out={out}", *small]) == 0
    assert "F1 of the best 10" in capsys.readouterr().out
    assert main(["evaluate", out, path, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["documents"] == 12
    assert main(["predict", out, path, "--count=3"]) == 0
    blocks = capsys.readouterr().out.strip().split("\n\n")
    assert len(blocks) == 12
    assert all(len(block.splitlines()) == 3 for block in blocks)
    assert main(["look", "gates", out, "a neural chain", f"--out={tmp_path / 'g.png'}"]) == 0
