"""A conversation as one text, and who speaks in it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

SPEAKERS = {
    "system": "System",
    "developer": "System",
    "user": "User",
    "assistant": "Assistant",
}
"""How each role of OpenAI's API is called in the text."""

# What some reader may take for the end of a line, and what it may not see before a name.
_LINE_ENDS = r"\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"
_UNSEEN = r"\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff"
_BLANK = rf"(?:[^\S{_LINE_ENDS}]|[{_UNSEEN}])"
_NAMES = "|".join(sorted({*SPEAKERS.values()}))
_FORGED = re.compile(
    rf"(^|[{_LINE_ENDS}])((?:{_BLANK}|\\)*+(?:{_NAMES}){_BLANK}*+[:：])", re.IGNORECASE
)

TURN_STOPS = tuple(
    before + name + ":" for name in sorted({*SPEAKERS.values()}) for before in ("\n", "\n\n")
)
"""Where an answer ends, because another turn would begin."""


@dataclass(frozen=True)
class Turn:
    """What one has said."""

    role: str
    content: str


def render(turns: Sequence[Turn]) -> str:
    """The text that the mixture goes on with.

    Each turn is its speaker's name, a colon, a space, what was said, and an empty line; the
    last line is ``Assistant:``. A line of what was said that begins like a turn, whatever its
    case and the blanks in it, gets a backslash before it (one more, if it has some), so that
    nothing that is said can become a turn, and the turns can be read back from the text exactly.
    """
    parts = [f"{SPEAKERS[turn.role]}: {escaped(turn.content)}\n\n" for turn in turns]
    return "".join(parts) + SPEAKERS["assistant"] + ":"


def escaped(content: str) -> str:
    """`content`, in which no line begins like a turn."""
    return _FORGED.sub(r"\1\\\2", content)
