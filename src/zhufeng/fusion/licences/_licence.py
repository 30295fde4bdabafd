"""What a model's folder says of its licence, and what that means for joining it with another.

Names are those of the Hugging Face Hub. What is told here is read off names and headings; it is
no advice on law.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from zhufeng.base import record, shown

Terms = Literal["free", "same licence", "non-commercial", "no derivatives", "own terms", "unknown"]

_MOST_BYTES = 1 << 16
_FREE = frozenset(
    {
        *(
            "apache-2.0",
            "mit",
            "bsd",
            "bsd-2-clause",
            "bsd-3-clause",
            "isc",
            "unlicense",
            "cc0-1.0",
        ),
        *("cc-by-4.0", "mulanpsl-2.0"),
    }
)
_SAME = ("gpl", "agpl", "lgpl", "cc-by-sa", "mpl", "osl")
_HEADINGS = (
    ("mulan permissive software", "mulanpsl-2.0"),
    ("llama 2 community", "llama2"),
    ("llama 3 community", "llama3"),
    ("meta llama 3", "llama3"),
    ("llama 3.1 community", "llama3.1"),
    ("llama 3.2 community", "llama3.2"),
    ("llama 3.3 community", "llama3.3"),
    ("tongyi qianwen", "tongyi-qianwen"),
    ("qwen research license", "qwen-research"),
    ("qwen license", "qwen"),
    ("tencent hunyuan", "tencent-hunyuan-community"),
    ("openpangu", "openpangu"),
    ("deepseek license", "deepseek"),
    ("gemma terms", "gemma"),
    ("glm-4", "glm-4"),
    ("chatglm", "chatglm"),
    ("gnu affero general", "agpl"),
    ("gnu lesser general", "lgpl"),
    ("gnu general public", "gpl"),
    ("attribution-noncommercial-noderivatives", "cc-by-nc-nd-4.0"),
    ("attribution-noncommercial", "cc-by-nc-4.0"),
    ("attribution-noderivatives", "cc-by-nd-4.0"),
    ("attribution-sharealike", "cc-by-sa-4.0"),
    ("apache license", "apache-2.0"),
    ("mit license", "mit"),
    ("permission is hereby granted, free of charge", "mit"),
    ("bsd 3-clause", "bsd-3-clause"),
)
_ANSWER = re.compile(r"^license(_name)?:[ \t]*([^\r\n#]*)", re.MULTILINE)


@record
class Licence:
    """What a folder says of its licence."""

    name: str | None
    """As on the Hugging Face Hub; None where it says nothing that is understood."""
    terms: Terms


def read_licence(folder: Path) -> Licence:
    """The licence by the model card's header, else by the heading of a LICENSE file."""
    name = _of_card(folder / "README.md") or _of_file(folder)
    return Licence(name=name, terms=_terms(name))


def joined(first: Licence, second: Licence) -> tuple[bool, tuple[str, ...]]:
    """Whether one set of weights may be made from two, as far as can be told; and why."""
    both = (first, second)
    reasons = [
        f"{one.name}: {words}"
        for one in both
        if (words := _WORDS.get(one.terms)) is not None and one.name is not None
    ]
    if any(one.terms == "unknown" for one in both):
        reasons.append("a folder does not say its licence: ask its owner before publishing")
    names = {one.name for one in both if one.terms == "same licence"}
    if len(names) > 1:
        reasons.append(f"{' and '.join(sorted(map(str, names)))} each ask for themselves alone")
    may = all(one.terms != "no derivatives" for one in both) and len(names) <= 1
    return may, tuple(dict.fromkeys(reasons))


_WORDS: dict[Terms, str] = {
    "same licence": "what is made from it must stand under it too",
    "non-commercial": "what is made from it must not be sold",
    "no derivatives": "nothing that is made from it may be passed on",
    "own terms": "terms of its own: read what they say of derived models, and of teaching others",
}


def _of_card(path: Path) -> str | None:
    text = _start(path)
    if not text.startswith("---"):
        return None
    found = {key: value.strip().strip("'\"") for key, value in _ANSWER.findall(_header(text))}
    # The card says "other" where the name stands apart.
    name = found.get("_name") if found.get("") in ("other", None) else found[""]
    return shown(name.lower()) if name else None


def _header(text: str) -> str:
    return text[3:].partition("\n---")[0]


def _of_file(folder: Path) -> str | None:
    names = ("LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE")
    text = next((text for name in names if (text := _start(folder / name))), "")
    head = " ".join(text[:3000].lower().split())
    return next((name for heading, name in _HEADINGS if heading in head), None)


def _start(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_MOST_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""


def _terms(name: str | None) -> Terms:
    if name is None or name in ("other", "unknown", "unlicensed"):
        return "unknown"
    if name in _FREE:
        return "free"
    if name.startswith(_SAME):
        return "same licence"
    if name.startswith("cc-") and "-nd" in name:
        return "no derivatives"
    if name.startswith("cc-") and "-nc" in name:
        return "non-commercial"
    return "own terms"
