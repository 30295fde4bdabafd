"""Stages put into the registry for a test's time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.route.stages import REGISTERED, Point
from zhufeng.route import Stage, _stage


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Register stages for the test's time."""
    real = _stage._points()

    def add(*stages: Stage[Any]) -> None:
        REGISTERED.update({s.name: s for s in stages})
        points = tuple(Point(s.name, "tests:S", _stage.GROUP) for s in stages)
        monkeypatch.setattr(_stage, "_points", lambda: (*real, *points))

    return add
