"""What is odd about the labels of a file, in notes for the person who trains on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from timeloom.data import Example
from timeloom.tasks.classify.options import LabelledFile

SEPARATORS = ";|,"


def notes_on_labels(examples: Sequence[Example], path: str, file: LabelledFile) -> Iterator[str]:
    """How many labels there are, the most frequent, and what looks like a file that was read as what it is not."""
    counts = Counter(label for example in examples for label in example.labels)
    if not counts:
        return
    most = ", ".join(f"{short(label)} ({count})" for label, count in counts.most_common(5))
    more = f" and {len(counts) - 5} more" if len(counts) > 5 else ""
    yield f"{len(examples)} examples with {len(counts)} labels in {path}: {most}{more}"
    alone = sum(count == 1 for count in counts.values())
    if len(examples) > 9 and alone > len(examples) / 2:
        yield (
            f"{alone} of the {len(examples)} examples have a label that no other has. Is it the label? In plain lines "
            "it is the first word; --format, --text_column and --label_column say otherwise, and --label_until cuts "
            "labels like NUM:dist"
        )
    elif file.label_until is None and (found := cut_at(counts)):
        sign, labels, cut = found
        yield (
            f"labels like {short(labels)} have parts; --label_until '{sign}' would make {cut} labels of the "
            f"{len(counts)}"
        )
    if file.label_separator is None and (found := separator_in(counts)):
        sign, label = found
        yield f"{short(label)} is one label; --label_separator '{sign}' makes several of it"
    yield from quotes(examples)


def quotes(examples: Sequence[Example]) -> Iterator[str]:
    """Texts over several lines, read as several examples."""
    opening = [one for one in examples if isinstance(one.content, str) and one.line and opens(one.content)]
    closing = [one for one in examples if isinstance(one.content, str) and one.line and closes(one.content)]
    if opening and closing and len(opening) + len(closing) > max(2, len(examples) / 20):
        yield (
            f"line {opening[0].line} opens a quotation mark and does not close it, and line {closing[0].line} closes "
            "one: quoted texts over several lines are read by --format csv, with --delimiter where it is no comma"
        )


def opens(text: str) -> bool:
    return text.startswith('"') and text.count('"') % 2 == 1


def closes(text: str) -> bool:
    return text.rstrip().endswith('"') and text.count('"') % 2 == 1


def separator_in(counts: Counter[str]) -> tuple[str, str] | None:
    """What may part several labels in one: a sign between parts that are labels of others, too."""
    for sign in SEPARATORS:
        joined = [label for label in counts if sign in label.strip(sign)]
        parts = Counter(part.strip() for label in joined for part in label.split(sign) if part.strip())
        known = [
            label for label in joined if any(p.strip() in counts or parts[p.strip()] > 1 for p in label.split(sign))
        ]
        if known and 2 * len(known) >= len(joined):
            return sign, known[0]
    return None


def cut_at(counts: Counter[str]) -> tuple[str, str, int] | None:
    """A colon in every label, with fewer different beginnings than labels."""
    if len(counts) < 6 or not all(0 < label.find(":") < len(label) - 1 for label in counts):
        return None
    beginnings = {label.split(":")[0] for label in counts}
    return (":", next(iter(counts)), len(beginnings)) if 2 <= len(beginnings) <= len(counts) / 2 else None


def short(label: str) -> str:
    return label if len(label) <= 30 else label[:27] + "..."
