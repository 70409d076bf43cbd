"""What every reader of tagged text gives."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Sentence:
    """The tokens of one sentence with, where the file has them, one tag for each and a label for the whole.

    `features` are further columns of the file, each with one symbol for each token: parts of speech, for instance.
    `tags` are BIO once `timeloom.data.tags.normalise` has seen them; until then they are as the file wrote them.
    `line` is the number (from 1) of the line the first token stands on, for messages; `vertical` says that the file
    gives every token a line of its own. `text` is raw text that the sentence stands in, where there is one, and
    `offsets` say where in it each token begins and ends, in characters.
    """

    tokens: tuple[str, ...]
    tags: tuple[str, ...] | None = None
    label: str | None = None
    line: int | None = None
    vertical: bool = False
    features: tuple[tuple[str, ...], ...] = ()
    text: str | None = field(default=None, compare=False)
    offsets: tuple[tuple[int, int], ...] = field(default=(), compare=False)

    def line_of(self, position: int) -> int | None:
        """The line that the token at `position` (from 0) stands on."""
        return self.line + position if self.vertical and self.line is not None else self.line
