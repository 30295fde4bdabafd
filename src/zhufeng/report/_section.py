"""Sections: what a capability has to say on the run's page, as data."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Literal

from zhufeng.base import parse, read_json, record, to_json, write_durable

Cell = str | int | float | bool | None
SECTION = "section.json"
_SIGNATURES = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}


@record
class Text:
    """A paragraph."""

    kind: Literal["text"] = "text"
    text: str


@record
class Code:
    """Lines kept as they are: Verilog, a log, an excerpt."""

    kind: Literal["code"] = "code"
    text: str
    caption: str = ""


@record
class Quote:
    """Prose from a document: its lines kept, long ones wrapped."""

    kind: Literal["quote"] = "quote"
    text: str
    caption: str = ""


@record
class Figures:
    """A few numbers that matter most: name to value with its unit, as shown."""

    kind: Literal["figures"] = "figures"
    figures: Mapping[str, str]


@record
class Table:
    """Rows under named columns. Numbers are aligned; wide tables scroll."""

    kind: Literal["table"] = "table"
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: str = ""

    def __post_init__(self) -> None:
        if any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError(f"rows of {len(self.columns)} cells")


@record
class Plot:
    """A drawing as SVG; make one with `plot`."""

    kind: Literal["plot"] = "plot"
    svg: str
    alt: str
    """What it shows, in words, for whoever cannot see it."""
    caption: str = ""


@record
class Image:
    """A picture; make one with `Image.of`."""

    kind: Literal["image"] = "image"
    media_type: Literal["image/png", "image/jpeg"]
    base64: str
    alt: str
    caption: str = ""

    @staticmethod
    def of(data: bytes, alt: str, caption: str = "") -> Image:
        """A picture from the bytes of a PNG or JPEG file.

        Raises:
            ValueError: neither.
        """
        for signature, media_type in _SIGNATURES.items():
            if data.startswith(signature):
                text = base64.b64encode(data).decode()
                return Image(
                    media_type=media_type,  # type: ignore[arg-type]
                    base64=text,
                    alt=alt,
                    caption=caption,
                )
        raise ValueError("a PNG or JPEG picture is needed")


Block = Text | Code | Quote | Figures | Table | Plot | Image


@record
class Section:
    """One section of the page."""

    title: str
    summary: str
    """One sentence: what was done and what came of it."""
    blocks: tuple[Block, ...] = field(default=())


def write_section(folder: Path, section: Section) -> None:
    """Put a section into an artifact's folder."""
    text = json.dumps(to_json(section), indent=1, ensure_ascii=False)
    write_durable(folder / SECTION, text.encode() + b"\n")


def read_section(folder: Path) -> Section:
    """The section in an artifact's folder.

    Raises:
        InputError: it is missing or damaged.
    """
    return parse(Section, read_json(folder / SECTION), str(folder / SECTION))
