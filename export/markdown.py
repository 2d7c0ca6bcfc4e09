"""Tables and names in Markdown."""

import re
from collections.abc import Iterable, Sequence


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table. Names in cells have to be escaped."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)


def escape(text: str) -> str:
    """A name of the user's as plain text in Markdown, not as markup or HTML."""
    # An underscore inside of a word is no markup.
    return re.sub(r"([\\`*\[\]<>|#~!]|(?<!\w)_|_(?!\w))", r"\\\1", " ".join(text.split()))


def _cell(text: str) -> str:
    return " ".join(text.split())
