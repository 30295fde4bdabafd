"""The one HTML page of a run, its plots, and the one trace writer."""

from zhufeng.report._page import Page, PagePart, Step, StepState, format_cell, render, si
from zhufeng.report._perfetto import Trace, Track
from zhufeng.report._plots import COLOURS, bars, lines, plot
from zhufeng.report._section import (
    SECTION,
    Block,
    Code,
    Figures,
    Image,
    Plot,
    Quote,
    Section,
    Table,
    Text,
    read_section,
    write_section,
)

__all__ = [
    "COLOURS",
    "SECTION",
    "Block",
    "Code",
    "Figures",
    "Image",
    "Page",
    "PagePart",
    "Plot",
    "Quote",
    "Section",
    "Step",
    "StepState",
    "Table",
    "Text",
    "Trace",
    "Track",
    "bars",
    "format_cell",
    "lines",
    "plot",
    "read_section",
    "render",
    "si",
    "write_section",
]
