"""Tag schemes: by hand, against a transcript of conlleval's rules, and there and back again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeloom.core import DataError, UsageError
from timeloom.data import (
    SCHEMES,
    Chunk,
    Sentence,
    TagPart,
    chunks,
    from_bio,
    guess_scheme,
    is_tag,
    normalise,
    tag_parts,
    to_bio,
)

TYPES = st.sampled_from(["x", "y", "a-b.c"])
LOOSE_BIO = st.lists(st.one_of(st.just("O"), st.builds("{}-{}".format, st.sampled_from("BI"), TYPES)), max_size=12)
BIO = LOOSE_BIO.map(lambda tags: list(to_bio(tags, "bio")[0]))


def split(text: str) -> list[str]:
    return text.split()


def conlleval_chunks(tags: list[str]) -> list[Chunk]:
    """The slow twin: startOfChunk and endOfChunk of conlleval.pl, as it walks over the tokens."""
    found, start = [], 0
    before_letter, before_type = "O", ""
    for position, tag in enumerate([*tags, "O"]):
        letter, type_ = ("O", "") if tag == "O" else (tag[0], tag[2:])
        changed = before_type != type_
        ends = (before_letter, letter) in {("B", "B"), ("B", "O"), ("I", "B"), ("I", "O")}
        starts = (before_letter, letter) in {("B", "B"), ("I", "B"), ("O", "B"), ("O", "I")}
        if ends or (before_letter != "O" and changed):
            found.append(Chunk(before_type, start, position))
        if starts or (letter != "O" and changed):
            start = position
        before_letter, before_type = letter, type_
    return found


@pytest.mark.parametrize(
    ("tags", "wanted"),
    [
        ("", []),
        ("O O", []),
        ("B-x I-x O B-x", [("x", 0, 2), ("x", 3, 4)]),
        ("B-x B-x", [("x", 0, 1), ("x", 1, 2)]),
        ("I-x O I-x I-x", [("x", 0, 1), ("x", 2, 4)]),
        ("B-x I-y I-y", [("x", 0, 1), ("y", 1, 3)]),
        ("B-fromloc.city-name I-fromloc.city-name", [("fromloc.city-name", 0, 2)]),
    ],
)
def test_chunks_by_hand(tags: str, wanted: list[tuple[str, int, int]]) -> None:
    assert chunks(split(tags)) == wanted


@given(LOOSE_BIO)
def test_chunks_are_conllevals(tags: list[str]) -> None:
    assert chunks(tags) == conlleval_chunks(tags)


@pytest.mark.parametrize("tag", ["", "B", "B-", "-x", "x", "BI-x", "Z-x", "o", "E-x", "S-x"])
def test_chunks_refuse_what_is_no_bio_tag(tag: str) -> None:
    with pytest.raises(DataError, match=f"'{tag}' is not a tag"):
        chunks(["O", tag])


def test_is_tag() -> None:
    assert all(is_tag(tag) for tag in ["O", "B-x", "U-a-b", "S--"])
    assert not any(is_tag(tag) for tag in ["", "B", "B-", "-x", "NN", "O-x", "BI-x"])


@pytest.mark.parametrize(
    ("scheme", "written"),
    [
        ("bio", "B-x I-x B-x O B-y I-y I-y"),
        ("iob1", "I-x I-x B-x O I-y I-y I-y"),
        ("ioe2", "I-x E-x E-x O I-y I-y E-y"),
        ("iobes", "B-x E-x S-x O B-y I-y E-y"),
        ("bilou", "B-x L-x U-x O B-y I-y L-y"),
    ],
)
def test_each_scheme_by_hand(scheme: str, written: str) -> None:
    bio = tuple(split("B-x I-x B-x O B-y I-y I-y"))
    assert to_bio(split(written), scheme) == (bio, 0)
    assert from_bio(bio, scheme) == tuple(split(written))
    assert guess_scheme([split(written)]) == scheme


@given(BIO, st.sampled_from(sorted(SCHEMES)))
def test_there_and_back(bio: list[str], scheme: str) -> None:
    assert to_bio(from_bio(bio, scheme), scheme) == (tuple(bio), 0)


@given(st.data(), st.sampled_from(sorted(SCHEMES)))
def test_no_repair_exactly_where_the_scheme_would_write_the_same(data: st.DataObject, scheme: str) -> None:
    letters = st.sampled_from(SCHEMES[scheme].letters)
    tags = data.draw(st.lists(st.one_of(st.just("O"), st.builds("{}-{}".format, letters, TYPES)), max_size=8))
    bio, repairs = to_bio(tags, scheme)
    assert to_bio(bio, "bio") == (bio, 0)
    assert (repairs == 0) == (from_bio(bio, scheme) == tuple(tags))


@pytest.mark.parametrize(
    ("scheme", "tags", "bio", "repairs"),
    [
        ("bio", "I-x O I-x I-x", "B-x O B-x I-x", 2),
        ("bio", "B-x I-y", "B-x B-y", 1),
        ("iob1", "B-x O I-x I-y B-x", "B-x O B-x B-y B-x", 2),
        ("iobes", "I-x E-x O E-x", "B-x I-x O B-x", 2),
        ("iobes", "B-x O", "B-x O", 1),
        ("iobes", "S-x B-x", "B-x B-x", 1),
        ("iobes", "I-x", "B-x", 1),
        ("iobes", "S-x I-x E-x", "B-x B-x I-x", 1),
        ("bilou", "B-x L-y U-x", "B-x B-y B-x", 1),
        ("ioe2", "I-x E-y O I-x", "B-x B-y O B-x", 2),
    ],
)
def test_repairs_by_hand(scheme: str, tags: str, bio: str, repairs: int) -> None:
    assert to_bio(split(tags), scheme) == (tuple(split(bio)), repairs)


@pytest.mark.parametrize(
    ("corpus", "scheme"),
    [
        (["O O"], "bio"),
        ([], "bio"),
        (["I-x O"], "iob1"),
        (["I-x B-x"], "iob1"),
        (["I-x", "B-x"], "bio"),
        (["I-x B-y"], "bio"),
        (["B-x B-x"], "bio"),
        (["B-x", "S-x"], "iobes"),
        (["B-x L-x"], "bilou"),
        (["I-x E-x"], "ioe2"),
        (["B-x E-x"], "iobes"),
        (["I-x O", "I-x I-x", "O B-x", "I-y B-y"], "iob1"),
    ],
)
def test_guess(corpus: list[str], scheme: str) -> None:
    assert guess_scheme(map(split, corpus)) == scheme


def test_unknown_scheme() -> None:
    with pytest.raises(UsageError, match="no tag scheme 'iob3', wanted one of bio, iob1, ioe2, iobes, bilou"):
        to_bio(["O"], "iob3")


VERTICAL = Sentence(("so", "New", "York"), ("O", "I-x", "I-x"), line=7, vertical=True)


def test_normalise_counts_and_tells_repairs() -> None:
    good = Sentence(("a",), ("B-x",), label="l", line=1)
    done = normalise([good, VERTICAL, VERTICAL], "bio", path="f.conll")
    assert [s.tags for s in done.sentences] == [("B-x",), ("O", "B-x", "I-x"), ("O", "B-x", "I-x")]
    assert done.sentences[0].label == "l"
    assert (done.scheme, done.repairs) == ("bio", 2)
    assert done.first_repair == ("f.conll:8: token 2, 'New', has the tag I-x after O, wanted in bio: B-x; read as B-x")
    assert normalise([good], "bio").first_repair is None


def test_normalise_guesses() -> None:
    done = normalise([VERTICAL])
    assert (done.scheme, done.repairs) == ("iob1", 0)
    assert done.sentences[0].tags == ("O", "B-x", "I-x")


@pytest.mark.parametrize(
    ("scheme", "tags", "said"),
    [
        ("bio", "O O I-x", "f:9: token 3, 'York', has the tag I-x after O, wanted in bio: B-x"),
        ("bio", "I-x O O", "f:7: token 1, 'so', has the tag I-x at the start of the sentence, wanted in bio: B-x"),
        ("iob1", "O B-x O", "f:8: token 2, 'New', has the tag B-x after O, wanted in iob1: I-x, for"),
        ("iobes", "O B-x O", "f:9: token 3, 'York', has the tag O after B-x, wanted in iobes: I-x or E-x"),
        (
            "iobes",
            "O B-x I-x",
            "f:9: token 3, 'York', has the tag I-x at the end of the sentence, wanted in iobes: E-x",
        ),
        ("bilou", "O O B-x", "f:9: token 3, 'York', has the tag B-x at the end of the sentence, wanted in bilou: U-x"),
        ("bilou", "O O I-x", "f:9: token 3, 'York', has the tag I-x after O, wanted in bilou: B-x or U-x"),
    ],
)
def test_strict_names_line_token_and_what_was_wanted(scheme: str, tags: str, said: str) -> None:
    sentence = Sentence(VERTICAL.tokens, tuple(split(tags)), line=7, vertical=True)
    with pytest.raises(DataError) as error:
        normalise([sentence], scheme, strict=True, path="f")
    assert str(error.value).startswith(said)


def test_strict_in_a_file_of_one_sentence_a_line_names_that_line() -> None:
    with pytest.raises(DataError, match=r"^f:7: token 2"):
        normalise([Sentence(("a", "b"), ("O", "I-x"), line=7)], "bio", strict=True, path="f")


def test_normalise_names_the_line_of_what_is_no_tag() -> None:
    with pytest.raises(DataError, match=r"(?s)^f:3: token 2, 'b': 'NN' is not a tag.*--scheme; plain takes any"):
        normalise([Sentence(("a", "b"), ("O", "NN"), line=2, vertical=True)], "bio", path="f")
    mostly = Sentence(("a", "b", "c"), ("B-x", "NN", "I-x"), line=2, vertical=True)
    for plain in (None, False):
        with pytest.raises(DataError, match=r"^f:3: token 2, 'b': 'NN' is not a tag"):
            normalise([mostly], "guess", path="f", plain=plain)
    with pytest.raises(DataError, match=r"^f:2: token 1, 'a': 'NN' is not a tag"):
        normalise([Sentence(("a",), ("NN",), line=2)], "guess", path="f", plain=False)
    with pytest.raises(DataError, match=r"^f:2: the sentence has no tags"):
        normalise([Sentence(("a",), line=2)], "guess", path="f")


def test_one_odd_tag_of_a_scheme_does_not_change_the_guess() -> None:
    """CoNLL-2003's training file is IOB1, with a few B- after O."""
    right, odd = Sentence(("New", "York"), ("I-x", "I-x"), line=1), Sentence(("so", "Rome"), ("O", "B-x"), line=7)
    done = normalise([right, odd, right, right], path="f")
    assert (done.scheme, done.repairs, done.lines) == ("iob1", 1, [7])
    assert [one.tags for one in done.sentences[:2]] == [("B-x", "I-x"), ("O", "B-x")]


def test_tags_without_rules_are_left_as_they_are() -> None:
    words = Sentence(("The", "dog", "barks"), ("DT", "NN", "VBZ"))
    done = normalise([words])
    assert (done.scheme, done.sentences) == ("plain", [words])
    assert "one for each token, 3 different ones: DT (1)" in (done.told or "")
    assert normalise([Sentence(("a",), ("B-x",))], "plain").sentences[0].tags == ("B-x",)
    assert normalise([Sentence(("a",), ("O",))], plain=True).scheme == "plain"
    several = [Sentence((str(n),), (f"word{n}",)) for n in range(40)]
    with pytest.raises(DataError, match=r"40 different tags on 40 tokens.*hardly tags"):
        normalise(several)
    assert normalise(several, "plain").scheme == "plain"


@pytest.mark.parametrize(
    ("tags", "bio"),
    [
        ("b-x i-x o", "B-x I-x O"),
        ("B_a_b I_a_b O", "B-a_b I-a_b O"),
        ("B:x I:x 0", "B-x I-x O"),
        ("B-x I-x 0", "B-x I-x O"),
        ("a-b-B a-b-I O", "B-a-b I-a-b O"),
        ("x_B x_I O", "B-x I-x O"),
        ("B I O", "B-chunk I-chunk O"),
        ("I I O", "B-chunk I-chunk O"),
        ("b o b", "B-chunk O B-chunk"),
        ("1 1 0", "B-chunk I-chunk O"),
        ("B M E S", "B-chunk I-chunk I-chunk B-chunk"),
        ("B-NS M-NS E-NS W-NR", "B-NS I-NS I-NS B-NR"),
    ],
)
def test_other_spellings(tags: str, bio: str) -> None:
    done = normalise([Sentence(tuple(split(tags)), tuple(split(tags)))])
    assert done.sentences[0].tags == tuple(split(bio))
    assert done.repairs == 0
    assert "is read as" in (done.told or "")


def test_runs_of_types_are_chunks_where_that_is_said() -> None:
    tags = ("PER", "PER", "O", "LOC")
    assert normalise([Sentence(tags, tags)]).scheme == "plain"
    done = normalise([Sentence(tags, tags)], "io")
    assert (done.scheme, done.repairs) == ("io", 0)
    assert done.sentences[0].tags == ("B-PER", "I-PER", "O", "B-LOC")


def test_parts_of_a_tag_without_a_letter() -> None:
    assert tag_parts("Case=Nom|N", plain=True) == [
        TagPart(type="Case=Nom|N"),
        *(TagPart(word=word) for word in ("Case", "Nom", "N")),
    ]


def test_a_tag_of_another_scheme_is_refused() -> None:
    with pytest.raises(DataError, match="'E-x' is not a tag, wanted O or one of B-type, I-type"):
        normalise([Sentence(("a", "b"), ("B-x", "E-x"))], "bio")


def test_tags_of_two_schemes_are_refused_and_why_is_said() -> None:
    mixed = [Sentence(("a", "b"), ("B-x", "L-x"), line=1), Sentence(("c",), ("S-x",), line=2)]
    with pytest.raises(DataError, match=r"(?s)t.conll:1: token 2, 'b': 'L-x' is not a tag.*guessed: .* iobes"):
        normalise(mixed, path="t.conll")
    with pytest.raises(DataError) as error:
        normalise(mixed, "iobes", path="t.conll")
    assert "guessed" not in str(error.value)


@pytest.mark.parametrize(
    ("tag", "words"),
    [
        ("B-NP", "NP"),
        ("I-toloc.city_name", "toloc city_name"),
        ("E-nsubj:pass", "nsubj pass"),
        ("I-B-cell line", "B cell line"),
        ("L-从.城市", "从 城市"),
        ("U-हिन्दी/नगर", "हिन्दी नगर"),
        ("B-x.x", "x x"),
        ("B-a[b]^c`d{e|f}~g\\h_i", "a b c d e f g h_i"),
        ("S--.", ""),
    ],
)
def test_the_parts_of_a_tag(tag: str, words: str) -> None:
    letter, name = tag[0], tag[2:]
    of_words = [part for word in words.split() for part in ((word, ""), (word, letter))]
    found = tag_parts(tag)
    assert found[:2] == [(letter, "", ""), ("", name, "")]
    assert sorted((part.word, part.letter) for part in found[2:]) == sorted(of_words)
    assert not any(part.type for part in found[2:])


def test_outside_has_no_parts() -> None:
    assert tag_parts("O") == []


def test_a_type_with_a_dash_shares_nothing_with_a_letter_before_a_word() -> None:
    assert not set(tag_parts("I-B-cell")) & set(tag_parts("B-day"))
    assert set(tag_parts("I-B-cell")) & set(tag_parts("B-cell")) == {TagPart(word="cell")}


def test_what_is_no_tag_has_no_parts() -> None:
    with pytest.raises(DataError, match="'NN' is not a tag"):
        tag_parts("NN")
