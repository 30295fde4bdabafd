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
from zhufeng.report._transcript import (
    TRANSCRIPT_PAGE,
    Transcript,
    clock,
    in_time,
    render_transcript,
)

__all__ = [
    "COLOURS",
    "SECTION",
    "TRANSCRIPT_PAGE",
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
    "Transcript",
    "bars",
    "clock",
    "format_cell",
    "in_time",
    "lines",
    "plot",
    "read_section",
    "render",
    "render_transcript",
    "si",
    "write_section",
]
