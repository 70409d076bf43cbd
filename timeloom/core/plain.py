"""Text from files and models, as it may be shown at a terminal."""

from __future__ import annotations

import re

# Control characters but the tab and the end of a line; what turns the direction of writing; halves of characters.
CONTROLS = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def shown(text: str) -> str:
    """The text with \\u001b in the place of an escape, and the like for every sign that a terminal would obey and not
    show. JSON stays JSON, and says the same."""
    return CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
