"""Every change is found: of a byte, of a line, of a file, of the end."""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fusion.ledger.samples import BEGIN, Clock, answer, filled
from zhufeng.base import canonical_json
from zhufeng.fusion.ledger import Ledger, Tally, audit, key_beside, read_head, shares

FIRST, SECOND = "ledger-000001.jsonl", "ledger-000002.jsonl"
Change = Callable[[list[bytes]], list[bytes]]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four days over the end of November: two files, nine answers' worth of lines."""
    folder = tmp_path_factory.mktemp("sample") / "ledger"
    filled(folder)
    return folder


@pytest.fixture
def copy(sample: Path, tmp_path: Path) -> Path:
    shutil.copytree(sample, tmp_path / "ledger")
    shutil.copy(key_beside(sample), tmp_path / "ledger.key")
    return tmp_path / "ledger"


def read_lines(folder: Path) -> list[dict[str, Any]]:
    names = (FIRST, SECOND)
    return [json.loads(one) for name in names for one in (folder / name).read_bytes().splitlines()]


def test_what_is_untouched_holds(sample: Path) -> None:
    found = audit(sample)
    assert found.fault is None
    lines = read_lines(sample)
    assert [line["sequence"] for line in lines] == list(range(1, len(lines) + 1))
    assert (found.files, found.lines, found.answers) == (2, len(lines), 8)
    assert found.lines == 2 + 8 + 3  # openings, answers, sums of the days that are over
    assert (found.first, found.last) == (lines[0]["time"], lines[-1]["time"])


def test_openssl_s_rule_for_a_line_and_the_chain(sample: Path) -> None:
    """Signatures and hashes by the documented rule, without our reader."""
    import hashlib

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    key = load_pem_public_key((sample / "public.pem").read_bytes())
    assert isinstance(key, Ed25519PublicKey)
    before = "0" * 64
    for data in (sample / FIRST).read_bytes().splitlines():
        line = json.loads(data)
        signature = bytes.fromhex(line.pop("signature"))
        spelt = json.dumps(line, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        key.verify(signature, spelt.encode())
        assert line["before"] == before
        before = hashlib.sha256(data).hexdigest()


@settings(max_examples=250, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_changed_byte_is_found(sample: Path, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(sorted(sample.iterdir())))
    good = path.read_bytes()
    place = data.draw(st.integers(0, len(good) - 1))
    other = data.draw(st.integers(1, 255))
    try:
        path.write_bytes(good[:place] + bytes([good[place] ^ other]) + good[place + 1 :])
        fault = audit(sample).fault
        assert fault is not None
        if path.suffix == ".jsonl" and place < len(good) - 1:
            # A changed line end makes two lines one; all else is found in its own line.
            line = good[:place].count(b"\n") + 1
            assert (fault.file, fault.line) == (path.name, line)
    finally:
        path.write_bytes(good)


def test_a_change_of_the_case_of_any_letter_of_the_head_is_found(sample: Path) -> None:
    """Hexadecimal digits could be read without it."""
    path = sample / "head.json"
    good = path.read_bytes()
    try:
        for place in range(len(good)):
            path.write_bytes(good[:place] + bytes([good[place] ^ 0x20]) + good[place + 1 :])
            fault = audit(sample).fault
            assert fault is not None
            assert fault.file == "head.json"
    finally:
        path.write_bytes(good)


def test_what_is_no_file_is_found(copy: Path) -> None:
    (copy / SECOND).unlink()
    (copy / SECOND).mkdir()
    assert str(audit(copy).fault).startswith(f"{SECOND}: it cannot be read")


CHANGES: dict[str, Change] = {
    "removed": lambda lines: lines[:2] + lines[3:],
    "first removed": lambda lines: lines[1:],
    "swapped": lambda lines: [*lines[:1], lines[2], lines[1], *lines[3:]],
    "duplicated": lambda lines: [*lines[:2], lines[1], *lines[2:]],
    "inserted": lambda lines: [*lines[:2], b"{}", *lines[2:]],
    "an empty line": lambda lines: [*lines[:2], b"", *lines[2:]],
    "rubbish": lambda lines: [*lines[:2], b"\xff\x00" * 9, *lines[2:]],
    "nested": lambda lines: [*lines[:2], b"[" * 100_000, *lines[2:]],
    "not a number": lambda lines: [*lines[:2], b'{"signature":NaN}', *lines[2:]],
    "nested less": lambda lines: [*lines[:2], b"[" * 990 + b"]" * 990, *lines[2:]],
    "a long number": lambda lines: [*lines[:2], b"9" * 5000, *lines[2:]],
    "a list": lambda lines: [*lines[:2], b'["signature"]', *lines[2:]],
    "last cut off": lambda lines: lines[:-1],
    "all cut off": lambda _: [],
}


@pytest.mark.parametrize("name", [FIRST, SECOND])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_changed_file_is_found(copy: Path, name: str, change: Change) -> None:
    path = copy / name
    lines = change(path.read_bytes().splitlines())
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    fault = audit(copy).fault
    assert fault is not None
    assert fault.file in (FIRST, SECOND)


@pytest.mark.parametrize("name", [FIRST, SECOND, "head.json", "public.pem"])
def test_a_missing_file_is_found(copy: Path, name: str) -> None:
    (copy / name).unlink()
    assert audit(copy).fault is not None


def test_files_exchanged_are_found(copy: Path) -> None:
    (copy / FIRST).rename(copy / "x")
    (copy / SECOND).rename(copy / FIRST)
    (copy / "x").rename(copy / SECOND)
    assert str(audit(copy).fault).startswith(f"{FIRST}, line 1")


def test_a_file_too_many_is_found(copy: Path) -> None:
    shutil.copy(copy / FIRST, copy / "ledger-000004.jsonl")
    assert str(audit(copy).fault) == "ledger-000004.jsonl: the file before it is missing"


def forge(folder: Path, name: str, number: int, change: Callable[[dict[str, Any]], None]) -> None:
    """Change a line and sign it anew with the ledger's own key: the law must find it."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    key = load_pem_private_key(key_beside(folder).read_bytes(), None)
    assert isinstance(key, Ed25519PrivateKey)
    lines = (folder / name).read_bytes().splitlines()
    line = json.loads(lines[number - 1])
    del line["signature"]
    change(line)
    line["signature"] = key.sign(canonical_json(line)).hex()
    lines[number - 1] = canonical_json(line)
    (folder / name).write_bytes(b"".join(one + b"\n" for one in lines))


def test_a_forged_daily_sum_is_found_even_if_signed(copy: Path) -> None:
    def raise_it(line: dict[str, Any]) -> None:
        line["body"]["contribution_nanobits"]["first"] += 1

    forge(copy, FIRST, 4, raise_it)
    assert str(audit(copy).fault) == (
        f"{FIRST}, line 4: its sums are not those of the day's answers"
    )


def test_sums_of_a_day_that_is_not_over_are_found_even_if_signed(copy: Path) -> None:
    forge(copy, FIRST, 4, lambda line: line.update(time="2026-11-29T23:00:00.000000Z"))
    assert str(audit(copy).fault) == (
        f"{FIRST}, line 4: its sums are not those of the day's answers"
    )


def test_forged_sums_of_the_day_in_the_head_are_found_even_if_signed(copy: Path) -> None:
    forge(copy, "head.json", 1, lambda head: head["today"].update(answers=3))
    fault = audit(copy).fault
    assert fault is not None
    assert fault.why == "it is not the line of which a head tells"


def test_a_line_of_another_ledger_of_the_same_key_is_found(copy: Path, tmp_path: Path) -> None:
    other = Ledger(tmp_path / "other", key_beside(copy), now=Clock())
    for name in ("answer-0", "other"):
        other.append(answer(name))
    lines, others = ((one / FIRST).read_bytes().splitlines(True) for one in (copy, other.folder))
    lines[2] = others[2]
    (copy / FIRST).write_bytes(b"".join(lines))
    fault = audit(copy).fault
    assert fault is not None
    assert fault.line == 4  # what is before it is the same in both; what follows is not


def test_contributions_that_are_not_the_gain_are_found_even_if_signed(copy: Path) -> None:
    def raise_it(line: dict[str, Any]) -> None:
        line["body"]["contribution_nanobits"][0] += 1

    forge(copy, FIRST, 2, raise_it)
    assert str(audit(copy).fault) == (
        f"{FIRST}, line 2: it is not of the form that this ledger has"
    )


@pytest.mark.parametrize("time", ["2026-11-29T00:00:00.000000Z", "yesterday", "2027"])
def test_a_time_that_goes_back_or_is_none_is_found_even_if_signed(copy: Path, time: str) -> None:
    forge(copy, FIRST, 3, lambda line: line.update(time=time))
    assert str(audit(copy).fault) == (
        f"{FIRST}, line 3: its time is before that of the line before it, or is none"
    )


def test_an_answer_after_a_day_without_its_sums_is_found_even_if_signed(copy: Path) -> None:
    forge(copy, FIRST, 3, lambda line: line.update(time="2026-11-30T00:00:00.000000Z"))
    assert str(audit(copy).fault) == (f"{FIRST}, line 3: the sums of the day before are missing")


def test_a_tail_cut_off_with_an_older_head_is_found_by_a_published_head(copy: Path) -> None:
    """What nothing in the folder can tell, and what closes it."""
    path, old = copy / SECOND, (copy / "head.json").read_bytes()
    size = path.stat().st_size
    Ledger(copy, now=Clock(BEGIN + timedelta(days=5))).append(answer())
    published = read_head(copy)
    assert audit(copy, published=[published]).fault is None
    path.write_bytes(path.read_bytes()[:size])
    (copy / "head.json").write_bytes(old)
    assert audit(copy).fault is None
    fault = audit(copy, published=[published]).fault
    assert fault is not None
    assert "there were" in fault.why


def test_a_ledger_written_anew_is_found_by_a_published_head_or_key(copy: Path) -> None:
    published = read_head(copy)
    shutil.rmtree(copy)
    filled(copy)
    assert read_head(copy) == published  # and with the same answers and times, the same bytes
    shutil.rmtree(copy)
    filled(copy, each=3)
    assert audit(copy).fault is None
    fault = audit(copy, published=[published]).fault
    assert fault is not None
    assert "a head tells" in fault.why
    key_beside(copy).unlink()
    shutil.rmtree(copy)
    filled(copy)
    fault = audit(copy, public_key=published.public_key).fault
    assert fault is not None
    assert fault.file == "head.json"


def test_shares_are_the_lines_added_up(sample: Path) -> None:
    sums: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for line in read_lines(sample):
        body = line["body"]
        if body["kind"] == "answer":
            for member, part in zip(body["members"], body["contribution_nanobits"], strict=True):
                sums[line["time"][:10]][member] += part
    told = shares(sample)
    assert {
        day.day: {one.member: one.contribution_nanobits for one in day.members} for day in told.days
    } == sums
    fractions = [one.fraction or 0.0 for one in told.members]
    assert sum(fractions) == pytest.approx(1, abs=1e-15)
    of_days = shares(sample, date(2026, 11, 30), date(2026, 12, 1))
    assert [day.day for day in of_days.days] == ["2026-11-30", "2026-12-01"]
    assert of_days.answers == 4
    assert shares(sample, date(2030, 1, 1)).members == ()


def test_a_sum_below_zero_counts_as_zero_over_the_whole_time(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger")
    for name, bits, count in (
        ("good", 2.0, 3),
        ("bad", 20.0, 2),
        ("mixed", 20.0, 1),
        ("mixed", 2.0, 3),
    ):
        for _ in range(count):
            tally = Tally([name])
            tally.add("a", [bits], [1.0])
            ledger.append(tally.entry(answer="x", account=None, ended="stop"))
    told = {one.member: one for one in shares(tmp_path / "ledger").members}
    # 8 - 2 = 6 bits gained, or 8 - 20 = -12: 18, -24, and -12 + 18 = 6.
    assert {name: one.contribution_nanobits // 10**9 for name, one in told.items()} == {
        "good": 18,
        "bad": -24,
        "mixed": 6,
    }
    assert {name: one.fraction for name, one in told.items()} == {
        "good": 0.75,
        "bad": 0.0,
        "mixed": 0.25,
    }


def test_nobody_has_a_fraction_where_nobody_gained(tmp_path: Path) -> None:
    tally = Tally(["a"])
    tally.add("a", [20.0], [1.0])
    Ledger(tmp_path / "l").append(tally.entry(answer="x", account=None, ended="stop"))
    assert [one.fraction for one in shares(tmp_path / "l").members] == [None]
