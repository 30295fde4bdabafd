"""The trace writer against the rules of the trace-event format."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zhufeng.report import Trace


def read(path: Path) -> list[dict[str, Any]]:
    data = path.read_bytes()
    text = gzip.decompress(data) if path.suffix == ".gz" else data
    events = json.loads(text)["traceEvents"]
    assert isinstance(events, list)
    return events


def write(path: Path) -> None:
    with Trace(path) as trace:
        compute, link = trace.track("chip 0", "compute"), trace.track("chip 0", "link")
        compute.slice("layer", 0, 10, layer=3)
        compute.slice("matmul", 0, 4)
        compute.slice("softmax", 4, 6)
        link.slice("all-reduce", 4, 2.5)
        compute.flow("gradient", 4, link, 4)
        trace.counter("chip 0", "sram bytes", 5, 1024)
        assert trace.track("chip 0", "compute") is compute


@pytest.mark.parametrize("name", ["t.json", "t.json.gz"])
def test_a_trace_says_what_was_put_in(tmp_path: Path, name: str) -> None:
    write(tmp_path / name)
    events = read(tmp_path / name)
    slices = {e["name"]: (e["ts"], e["dur"]) for e in events if e["ph"] == "X"}
    assert slices == {
        "layer": (0, 10),
        "matmul": (0, 4),
        "softmax": (4, 6),
        "all-reduce": (4, 2.5),
    }
    names = {e["args"]["name"] for e in events if e["ph"] == "M" and "name" in e["args"]}
    assert names == {"chip 0", "compute", "link"}
    assert [e["args"] for e in events if e["ph"] == "C"] == [{"value": 1024}]
    start, finish = (next(e for e in events if e["ph"] == phase) for phase in "sf")
    assert start["id"] == finish["id"]
    assert start["tid"] != finish["tid"]


def test_the_same_trace_has_the_same_bytes(tmp_path: Path) -> None:
    write(tmp_path / "a.json.gz")
    write(tmp_path / "b.json.gz")
    assert (tmp_path / "a.json.gz").read_bytes() == (tmp_path / "b.json.gz").read_bytes()


def test_a_failed_trace_leaves_nothing(tmp_path: Path) -> None:
    for name in ("a.json", "a.json.gz"):
        with pytest.raises(RuntimeError), Trace(tmp_path / name) as trace:
            trace.track("p", "t").slice("s", 0, 1)
            raise RuntimeError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("slices", "message"),
    [
        ([("a", 5, 1), ("b", 3, 1)], "before the last"),
        ([("a", 0, -1)], "less than nothing"),
        ([("a", 0, 10), ("b", 5, 6)], "use another track"),
        ([("a", 0, 10), ("b", 2, 3), ("c", 4, 2)], "use another track"),
    ],
)
def test_slices_that_a_viewer_would_draw_wrongly_are_refused(
    tmp_path: Path, slices: list[tuple[str, float, float]], message: str
) -> None:
    with pytest.raises(ValueError, match=message), Trace(tmp_path / "t.json") as trace:
        track = trace.track("p", "t")
        for name, start, duration in slices:
            track.slice(name, start, duration)


def test_a_refused_slice_leaves_no_trace(tmp_path: Path) -> None:
    """Found by the test below: (1, 2) is refused, and (0, 2) after (0, 1) must be too."""
    with Trace(tmp_path / "t.json") as trace:
        track = trace.track("p", "t")
        track.slice("a", 0, 2)
        track.slice("b", 0, 1)
        for start in (1, 0):
            with pytest.raises(ValueError, match="use another track"):
                track.slice("c", start, 2)
    assert [e["name"] for e in read(tmp_path / "t.json") if e["ph"] == "X"] == ["a", "b"]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_json_cannot_hold_is_refused(tmp_path: Path, value: float) -> None:
    with pytest.raises(ValueError, match="JSON"), Trace(tmp_path / "t.json") as trace:
        trace.counter("p", "c", 0, value)
    assert list(tmp_path.iterdir()) == []


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_whatever_is_accepted_nests(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Any two slices of a track are apart or one holds the other: what the format demands."""
    path = tmp_path_factory.mktemp("trace") / "t.json"
    pair = st.tuples(st.integers(0, 30), st.integers(0, 10))
    with Trace(path) as trace:
        track = trace.track("p", "t")
        for start, duration in data.draw(st.lists(pair, max_size=30)):
            try:
                track.slice("s", start, duration)
            except ValueError:
                continue
    spans = [(e["ts"], e["ts"] + e["dur"]) for e in read(path) if e["ph"] == "X"]
    for i, (a0, a1) in enumerate(spans):
        for b0, b1 in spans[i + 1 :]:
            assert b0 >= a1 or b1 <= a0 or (a0 <= b0 and b1 <= a1)
