"""What the union table is made of: files by hash, splits, a router, rows, figures."""

from __future__ import annotations

import hashlib
import json
import math
import re
import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))
from carry_over_fusion import carried
from fusion_union import measure, rows, store
from fusion_union.campaign import results_of
from fusion_union.documents import (
    DOMAINS,
    LONGEST,
    Document,
    Files,
    Listed,
    cut,
    document_text,
    read_documents,
    read_list,
)
from fusion_union.figures import PAIRS, ROWS, figures, table
from fusion_union.identity import identity
from fusion_union.router import Router
from fusion_union.settings import FULL, MEMBERS, OVERLAP, QUICK, SEEDS, Size
from fusion_union.split import MIXED, ROUTER_SHARE, SETS, Split, divide
from fusion_union_probe import Probe
from near_duplicates import similar_pairs
from zhufeng.base import InputError


@cache
def documents() -> list[Document]:
    return read_documents(read_list())


@cache
def split() -> Split:
    return divide(documents(), 0)


def size(texts: tuple[str, ...]) -> int:
    return sum(len(text.encode()) for text in texts)


# The files


def test_every_file_is_what_the_list_says_and_each_domain_is_large() -> None:
    for domain in DOMAINS:
        own = [one for one in documents() if one.domain == domain]
        assert len(own) > 120
        assert size(tuple(one.text for one in own)) > 1_000_000
        assert all(1_500 <= len(one.text.encode()) <= LONGEST for one in own)
    assert len({one.name for one in documents()}) == len(documents())


def test_the_list_names_the_pinned_versions() -> None:
    lines = (Path(__file__).parents[2] / "constraints.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if "==" in line and not line.startswith("#"))
    listed = read_list()
    assert {name: pins[name] for name in listed.packages} == listed.packages
    assert {one.package for one in listed.files} == set(listed.packages)


def test_no_document_is_a_near_copy_of_another() -> None:
    """Every pair of every domain, exactly, with words read as the duplicates' benchmark reads."""
    for domain in DOMAINS:
        texts = {one.name: one.text for one in documents() if one.domain == domain}
        assert similar_pairs(texts, 5, 0.55) == {}


def a_list(path: str = "numpy/version.py", sha256: str = "0" * 64) -> Files:
    listed = Listed(domain="python", package="numpy", path=path, sha256=sha256, alone=True)
    return Files(packages={listed.package: metadata.version(listed.package)}, files=(listed,))


def test_a_file_that_differs_is_named() -> None:
    path = Path(str(metadata.distribution("numpy").locate_file("numpy/version.py")))
    came = hashlib.sha256(path.read_bytes()).hexdigest()
    assert read_documents(a_list(sha256=came))[0].text == path.read_text()
    told = (
        "numpy/version.py is not the file that the union table was made with\n"
        f"  expected: SHA-256 {'0' * 64}, as numpy brings it\n"
        f"  came:     SHA-256 {came}\n"
        "  do:       install the package again: "
        "pip install --force-reinstall -c constraints.txt numpy"
    )
    with pytest.raises(InputError, match=re.escape(told)):
        read_documents(a_list())


def test_a_file_that_is_gone_is_named() -> None:
    with pytest.raises(InputError, match="no such file"):
        read_documents(a_list(path="numpy/gone.py"))


@pytest.mark.parametrize(("package", "came"), [("numpy", r"2\.\d"), ("no-such-package", "none")])
def test_a_package_of_another_version_is_named(package: str, came: str) -> None:
    listed = Files(packages={package: "1.0"}, files=())
    with pytest.raises(InputError, match=f"expected: {package} 1.0\n  came:     {came}"):
        read_documents(listed)


def test_of_metadata_only_the_description_counts_and_lines_are_whole() -> None:
    assert (
        document_text("a.dist-info/METADATA", b"Name: a\nVersion: 1\n\n# A\n\nB\n") == "# A\n\nB\n"
    )
    assert document_text("a.py", b"a\r\n\r\nb\n") == "a\n\nb\n"
    assert cut("ab\ncd\nef", 7) == "ab\ncd\n"
    assert cut("ab\ncd", 5) == "ab\ncd"
    assert cut("éééé", 3) == "é"


# Who gets which


def runs(text: str) -> set[tuple[str, ...]]:
    """Every five words that stand together."""
    words = re.findall(r"\w+", text.casefold())
    return {tuple(words[place : place + 5]) for place in range(len(words) - 4)}


def test_of_nothing_that_is_scored_much_more_than_half_is_learned() -> None:
    """Most of a text of boilerplate may stand in another's: half is the limit, words are read
    otherwise here than where it was judged.
    """
    learned = [runs(text) for texts in split().learned.values() for text in texts]
    for texts in split().tested.values():
        for text in texts:
            own = runs(text)
            assert max(len(own & one) for one in learned) < 0.6 * len(own)


def test_no_document_has_two_purposes() -> None:
    lines = [f"{one.name}{'.' * 800}\n" for one in documents()]
    drawn = divide([replace(o, text=t) for o, t in zip(documents(), lines, strict=True)], 0)
    assert len(drawn.router) >= len(DOMAINS)
    held = [line for texts in drawn.tested.values() for text in texts for line in text.split("\n")]
    every = [f"{line}\n" for line in held if line]
    every += [*drawn.router, *(text for texts in drawn.learned.values() for text in texts)]
    assert sorted(every) == sorted(lines)


def test_the_router_has_one_percent_of_the_text() -> None:
    share = size(split().router) / sum(size(texts) for texts in split().learned.values())
    assert share == pytest.approx(ROUTER_SHARE, rel=0.15)


def test_mixed_documents_have_lines_of_every_domain() -> None:
    by_domain = {
        domain: {
            line
            for one in documents()
            if one.domain == domain
            for line in one.text.splitlines()
            if len(line) > 20
        }
        for domain in DOMAINS
    }
    only = {
        domain: lines.difference(*(other for key, other in by_domain.items() if key != domain))
        for domain, lines in by_domain.items()
    }
    assert len(split().tested[MIXED]) == 16
    for text in split().tested[MIXED]:
        assert all(set(text.splitlines()) & lines for lines in only.values())


def test_a_seed_divides_anew_and_always_alike() -> None:
    assert divide(documents(), 0) == split()
    assert divide(documents(), 1).tested != split().tested


def test_the_overlapping_member_shares_half_of_what_another_learns() -> None:
    python, own = MEMBERS["python"].texts(split()), OVERLAP.texts(split())
    assert len(set(python) & set(own)) == round(len(python) / 2)
    taught = set(FULL.student.texts(split()))
    for one in MEMBERS.values():
        of_one = set(one.texts(split()))
        assert len(taught & of_one) == round(FULL.student_share * len(of_one))


def test_the_families_differ_and_tokenizers_have_three_sizes() -> None:
    models = [one.model for one in MEMBERS.values()]
    assert len({one.vocabulary for one in models}) == 3
    assert len({(m.norm, m.gated, m.rotary_fraction, m.qkv_bias) for m in models}) == 3


# The router


def test_the_router_tells_domains_apart_from_one_percent_of_the_text() -> None:
    learned = [
        (text, number)
        for number, domain in enumerate(DOMAINS)
        for text in split().router
        if any(text in one.text for one in documents() if one.domain == domain)
    ]
    texts, labels = [text for text, _ in learned], [number for _, number in learned]
    router = Router(texts, labels, len(DOMAINS))
    chosen = [[router.choose(text) for text in split().tested[domain]] for domain in DOMAINS]
    right = [sum(one == number for one in found) for number, found in enumerate(chosen)]
    assert sum(right) >= 0.9 * sum(map(len, chosen)), right


def test_a_router_of_one_label_chooses_it() -> None:
    assert Router(["a b", "c d", "e"], [1, 1, 1], 3).choose("f") == 1


# Rows


def some(bits: list[list[float]], text: str = "abcd") -> rows.Scored:
    return rows.Scored(text, np.array(bits))


def test_rows_of_bits_that_are_reckoned_by_hand() -> None:
    one = some([[1.0, 3.0], [2.0, 1.0]])
    assert rows.single(0)(one) == 4
    assert rows.oracle(one) == 3
    by_hand = -math.log2((1 / 2 + 1 / 4) / 2) - math.log2((1 / 8 + 1 / 2) / 2)
    assert rows.uniform(one) == pytest.approx(by_hand, rel=1e-12)
    assert rows.uniform(some([[2000.0], [2001.0]])) == pytest.approx(2001 - math.log2(1.5))
    sets = {"a": [one, one], "b": [some([[8.0], [8.0]], "ab")]}
    assert rows.row(sets, rows.oracle) == {"a": 6 / 8, "b": 4.0, "mean": (6 / 8 + 4) / 2}


def test_members_that_are_copies_mix_to_one_of_them() -> None:
    one = some([[1.5, 3.0, 0.25]] * 3)
    assert rows.mixture(one) == pytest.approx(4.75, rel=1e-9)
    assert rows.uniform(one) == pytest.approx(4.75, rel=1e-12)


def test_the_mixture_finds_the_member_that_knows_the_text() -> None:
    one = some([[1.0] * 400, [6.0] * 400, [9.0] * 400])
    assert rows.oracle(one) <= rows.mixture(one) < 1.1 * rows.oracle(one)
    turned = some([[1.0] * 200 + [6.0] * 200, [6.0] * 200 + [1.0] * 200])
    assert rows.mixture(turned) < rows.oracle(turned) / 2


def test_every_row_and_variant_is_there() -> None:
    rng = np.random.default_rng(5)
    names = ("python", "headers", "prose", "overlapping", "student")
    texts = [f"def f{number}(): pass" for number in range(6)]
    learned = [rows.Scored(text, rng.uniform(1, 9, (5, 4))) for text in texts]
    sets = {name: [rows.Scored("text", rng.uniform(1, 9, (5, 4)))] for name in SETS}
    variants = {"": names[:3], "overlapping_": ("python", "overlapping", "prose")}
    found = rows.table_rows(sets, learned, names, variants)
    assert set(ROWS) - {"corpus_alone", "dense"} | set(names) == set(found)
    for row in found.values():
        assert row["mean"] == pytest.approx(sum(row[name] for name in SETS) / 4)
    bits = sets["prose"][0].bits.sum(axis=1) / 4
    assert found["oracle"]["prose"] == pytest.approx(bits[:3].min())
    assert found["overlapping_oracle"]["prose"] == pytest.approx(bits[[0, 3, 2]].min())
    assert found["student"]["prose"] == pytest.approx(bits[4])
    best = min(found[name]["mean"] for name in names[:3])
    assert found["best_single"]["mean"] == best


# Figures and results


def result(**means: float) -> store.Result:
    made: Mapping[str, rows.Row] = {
        name: dict.fromkeys((*SETS, "mean"), value) for name, value in means.items()
    }
    return {"rows": made, "identity": "i", "machine": "m", "torch": "t", "date": "d"}


def test_figures_are_means_with_t_intervals_and_pairs_are_paired() -> None:
    values = [(2.0, 3.0), (2.5, 3.6), (1.5, 2.4)]
    results = {
        seed: result(mixture=mixture, router=router)
        for seed, (mixture, router) in enumerate(values)
    }
    found = figures(results)
    mean = found["mixture_bpb"]
    half = 4.303 * 0.5 / math.sqrt(3)
    assert (mean.value, mean.runs) == (2.0, 3)
    assert mean.low == pytest.approx(2 - half)
    assert mean.high == pytest.approx(2 + half)
    pair = found["mixture_minus_router_bpb"]
    assert pair.value == pytest.approx(-1.0)
    half = 4.303 * 0.1 / math.sqrt(3)
    assert pair.low == pytest.approx(-1.0 - half)
    assert pair.high == pytest.approx(-1.0 + half)
    assert found["student_bpb"].value is None
    assert found["student_minus_mixture_bpb"].value is None
    names = {f"{name}_bpb" for name in ROWS}
    assert set(found) == names | {f"{first}_minus_{second}_bpb" for first, second in PAIRS}
    assert [line.split()[0] for line in table(results)] == ["python", "router", "mixture"]


def test_what_a_member_cannot_say_gives_no_figure() -> None:
    found = figures({0: result(router=math.inf, mixture=2.0), 1: result(router=3.0, mixture=2.0)})
    assert found["router_bpb"].value is None
    assert found["mixture_minus_router_bpb"].value is None
    assert found["mixture_bpb"].value == 2.0


def test_results_of_other_code_count_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "RESULTS", tmp_path / "results.json")
    assert store.standing("i") == {}
    store.keep({1: result(mixture=2.0), 0: result(mixture=1.0)})
    assert list(json.loads((tmp_path / "results.json").read_text())) == ["0", "1"]
    assert store.standing("i") == {0: result(mixture=1.0), 1: result(mixture=2.0)}
    assert store.standing("other") == {}
    assert identity(FULL) != identity(QUICK)


def test_results_are_carried_over_to_code_that_makes_the_same_short_table() -> None:
    results = {0: result(mixture=1.0)}
    rows = {"mixture": {"mixed": 2.0}}
    before = Probe(identity="old", own={"rows.py": "1"}, rows=rows)
    after = Probe(identity="new", own={"rows.py": "1"}, rows=rows)
    assert carried(results, before, after) == {0: {**results[0], "identity": "new"}}
    assert not carried(results, before, {**after, "rows": {"mixture": {"mixed": 2.0000001}}})
    assert not carried(results, before, {**after, "own": {"rows.py": "2"}})


def test_a_full_run_goes_on_where_it_was_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "RESULTS", tmp_path / "results.json")
    asked: list[tuple[str, list[int]]] = []

    def results_of(size: Size, seeds: list[int]) -> store.Results:
        asked.append((size.name, seeds))
        if len(asked) == 3:
            raise KeyboardInterrupt
        return {seed: {**result(mixture=float(seed)), "identity": identity(size)} for seed in seeds}

    monkeypatch.setattr(sys.modules[measure.__module__], "results_of", results_of)
    with pytest.raises(KeyboardInterrupt):
        measure(quick=False, seed=0)
    full = measure(quick=False, seed=0).figures
    assert asked == [("full", seeds) for seeds in ([0, 1], [2, 3], [4], [4])]
    assert (full["mixture_bpb"].value, full["mixture_bpb"].runs) == (2.0, len(SEEDS))
    quick = measure(quick=True, seed=7).figures
    assert asked[-1] == ("quick", [7])
    assert quick["mixture_bpb"].value == 7.0
    assert quick["full_mixture_bpb"] == full["mixture_bpb"]


@pytest.mark.soak
def test_the_whole_table_with_trainings_of_a_few_steps() -> None:
    """Everybody is trained and asked, in processes of their own; the second time all is there."""
    size = Size("soak", 20, 10, 0.03)
    results = results_of(size, [3])
    found = results[3]["rows"]
    assert set(ROWS) <= set(found)
    assert found["mixture"]["mean"] < found["best_single"]["mean"]
    assert found["oracle"]["mean"] <= found["router"]["mean"]
    assert results_of(size, [3])[3]["rows"] == found
