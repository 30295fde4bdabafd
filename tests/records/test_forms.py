"""Versions: a newer file is refused by name, an older one is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from zhufeng.base import InputError, record
from zhufeng.records import DESIGN, DOCUMENT, PLAN, POLICY, TOKEN_SET, WORKLOAD, Form


@record
class Thing:
    """Version 3: `length_mm` was `length` in metres (1), then `length_m` (2)."""

    length_mm: int


THING = Form(
    "thing",
    Thing,
    version=3,
    upgrades={
        1: lambda old: {
            **{k: v for k, v in old.items() if k != "length"},
            "length_m": old["length"],
        },
        2: lambda old: {
            **{k: v for k, v in old.items() if k != "length_m"},
            "length_mm": round(old["length_m"] * 1000),
        },
    },
)


@pytest.mark.parametrize(
    "fields",
    [
        {"version": 1, "length": 1.5},
        {"version": 2, "length_m": 1.5},
        {"version": 3, "length_mm": 1500},
    ],
)
def test_older_versions_are_read(fields: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "thing.json"
    path.write_text(json.dumps({"record": "thing", **fields}))
    assert THING.read_json(path) == Thing(length_mm=1500)


def test_a_newer_version_is_refused_by_name() -> None:
    with pytest.raises(InputError) as caught:
        THING.unpack({"record": "thing", "version": 4, "length_um": 1}, "thing.json")
    assert str(caught.value) == (
        "thing.json is a thing of a newer version\n"
        "  expected: thing of version 3 or older\n"
        "  came:     version 4\n"
        "  do:       upgrade: pip install -U zhufeng"
    )


FORMS = [DOCUMENT, TOKEN_SET, WORKLOAD, DESIGN, PLAN, POLICY]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_every_record_refuses_a_newer_version_and_another_record(form: Form[Any]) -> None:
    with pytest.raises(InputError, match=f"is a {form.name} of a newer version"):
        form.unpack({"record": form.name, "version": form.version + 1}, "file")
    with pytest.raises(InputError, match=f"is not a {form.name}"):
        form.unpack({"record": "other", "version": 1}, "file")


@pytest.mark.parametrize("version", [None, "1", 0, -1, 1.0, True])
def test_what_is_no_version_is_refused(version: object) -> None:
    with pytest.raises(InputError, match="has no version that can be read"):
        THING.unpack({"record": "thing", "version": version, "length_mm": 1}, "file")
