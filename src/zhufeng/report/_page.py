"""The one HTML page of a run: self-contained, without scripts, nothing fetched."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from zhufeng.report._section import Cell, Section
from zhufeng.report._templates import templates

# SI, from a thousand on.
_PREFIXES = ("k", "M", "G", "T", "P", "E", "Z", "Y")

StepState = Literal["done", "stale", "absent", "not built yet"]


@dataclass(frozen=True)
class Step:
    """One step of the route, as the strip at the head of the page shows it."""

    name: str
    title: str
    state: StepState


@dataclass(frozen=True)
class PagePart:
    """A section in its place on the page."""

    name: str
    section: Section
    provenance: Sequence[tuple[str, str]]
    """What it was made from, as name and value."""
    log: Sequence[str] = ()


@dataclass(frozen=True)
class Page:
    """All that the page says."""

    title: str
    seed: int
    steps: Sequence[Step]
    parts: Sequence[PagePart]


def render(page: Page) -> bytes:
    """The page's HTML, UTF-8.

    Everything is escaped by the template; drawings stand in `img` elements, where a browser
    runs no script; and the page's own policy forbids scripts and every request.
    """
    environment = templates()
    environment.filters["data_uri"] = _svg_uri
    environment.filters["cell"] = format_cell
    environment.tests["numeric"] = _is_numeric
    return environment.get_template("page.html.j2").render(page=page).encode()


def si(value: float) -> str:
    """A number of three digits with the prefix of its size: ``"437 M"`` for 4.37e8 (the space
    is one that no line is broken at).

    From a thousand to below 10^27; smaller and larger ones as they are.
    """
    if not 1e3 <= value < 1e27:  # noqa: PLR2004 (kilo and above yotta)
        return f"{value:.3g}"
    power = min(int(math.log10(value * 1.0005) // 3), len(_PREFIXES))
    return f"{value / 1e3**power:.3g}\N{NO-BREAK SPACE}{_PREFIXES[power - 1]}"


def format_cell(value: Cell) -> str:
    """A table cell as text: thousands separated, four significant digits where not whole."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        whole = value == int(value) if abs(value) < 1e15 else False  # noqa: PLR2004
        return f"{value:,.0f}" if whole else f"{value:,.4g}"
    return value


def _is_numeric(value: Cell) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _svg_uri(svg: str) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()
