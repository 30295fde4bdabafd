"""Errors of zhufeng.fusion: ledger and serve."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from tests.errors.case import case
from tests.fusion.ledger.samples import answer
from zhufeng.base import parse
from zhufeng.fusion.ledger import Ledger, audit, key_beside, read_head, shares
from zhufeng.fusion.mix import MemberSpec, Mixture, open_member
from zhufeng.fusion.serve import ServeConfig, make_app, read_keys, serve

Patch = pytest.MonkeyPatch

FILES = "a folder with ledger-000001.jsonl, head.json and public.pem"
NOT_A_LEDGER = "check the path; if a file of it is gone, restore the folder from a copy"


@case("TMP/l is not a ledger", FILES, "nothing there", NOT_A_LEDGER)
def an_audit_of_nothing(tmp: Path, _: Patch) -> None:
    audit(tmp / "l")


@case("TMP/l is not a ledger", FILES, "something else", NOT_A_LEDGER)
def a_ledger_without_its_head(tmp: Path, _: Patch) -> None:
    Ledger(tmp / "l")
    (tmp / "l" / "head.json").unlink()
    Ledger(tmp / "l")


KEY = "a private Ed25519 key in PEM, mode 600"


@case(
    "TMP/l.key cannot be used as the ledger's key",
    KEY,
    "no file",
    "restore it: without it nothing can be added",
)
def a_lost_key(tmp: Path, _: Patch) -> None:
    Ledger(tmp / "l")
    key_beside(tmp / "l").unlink()
    Ledger(tmp / "l")


@case(
    "TMP/l.key cannot be used as the ledger's key",
    KEY,
    "something else",
    "name the file that the ledger made",
)
def a_file_that_is_no_key(tmp: Path, _: Patch) -> None:
    key_beside(tmp / "l").write_bytes(b"\xff")
    Ledger(tmp / "l")


@case("TMP/l.key cannot be used as the ledger's key", KEY, "mode 644", "chmod 600 TMP/l.key")
def a_key_that_others_may_read(tmp: Path, _: Patch) -> None:
    Ledger(tmp / "l")
    key_beside(tmp / "l").chmod(0o644)
    Ledger(tmp / "l")


@case(
    "the key is not that of the ledger TMP/l",
    "the private key to *",
    "that to *",
    "name the key that this ledger was made with",
)
def the_key_of_another_ledger(tmp: Path, _: Patch) -> None:
    Ledger(tmp / "l")
    Ledger(tmp / "other")
    Ledger(tmp / "l", key_beside(tmp / "other"))


@case(
    "nothing can be added to the ledger TMP/l",
    "lines and a head as its key has signed them",
    "line number 3: ledger-000001.jsonl has been cut off before it",
    "audit it, and restore the folder from a copy",
)
def a_ledger_cut_off(tmp: Path, _: Patch) -> None:
    Ledger(tmp / "l").append(answer())
    path = tmp / "l" / "ledger-000001.jsonl"
    path.write_bytes(path.read_bytes()[:-9])
    Ledger(tmp / "l")


@case(
    "nothing can be added to the ledger TMP/l",
    "lines and a head as its key has signed them",
    "line number 3: it is not of the form that this ledger has",
    "audit it, and restore the folder from a copy",
)
def a_foreign_line(tmp: Path, _: Patch) -> None:
    Ledger(tmp / "l").append(answer())
    with (tmp / "l" / "ledger-000001.jsonl").open("ab") as file:
        file.write(b"{}\n")
    Ledger(tmp / "l")


@case(
    "nothing can be added to the ledger TMP/l",
    "lines and a head as its key has signed them",
    "1 lines, after this process has seen more",
    "audit it, and restore the folder from a copy",
)
def a_ledger_set_back(tmp: Path, _: Patch) -> None:
    ledger = Ledger(tmp / "l")
    head = (tmp / "l" / "head.json").read_bytes()
    ledger.append(answer())
    (tmp / "l" / "head.json").write_bytes(head)
    ledger.append(answer())


@case(
    "TMP/head.json is not a ledger's head",
    "a head.json, as its ledger has signed it",
    "it is not of the form that this ledger has",
    "check the path, or take another copy",
)
def a_head_of_something_else(tmp: Path, _: Patch) -> None:
    (tmp / "head.json").write_bytes(b'{"signature": 5}\n')
    read_head(tmp)


@case(
    "there are no days to share",
    "a first day that is not after the last",
    "2026-02-02 to 2026-02-01",
    "exchange them",
)
def days_the_wrong_way_round(tmp: Path, _: Patch) -> None:
    shares(tmp, date(2026, 2, 2), date(2026, 2, 1))


@case(
    "the ledger TMP/l does not hold",
    "a ledger that nobody has changed",
    "ledger-000001.jsonl, line 1: it is not of the form that this ledger has",
    "share nothing by it; restore the folder from a copy",
)
def shares_of_a_changed_ledger(tmp: Path, _: Patch) -> None:
    Ledger(tmp / "l").append(answer())
    path = tmp / "l" / "ledger-000001.jsonl"
    path.write_bytes(b"x" + path.read_bytes())
    shares(tmp / "l")


KEY_LINE = "a name, a space, and a key of at least 20 characters, or sha256: and its hash"
CORRECT = "correct the line; `openssl rand -hex 24` makes a key"


@case("TMP/keys, line 2 is not a key", KEY_LINE, "a key of 6 characters, *", CORRECT)
def a_short_key(tmp: Path, _: Patch) -> None:
    (tmp / "keys").write_text("\nme secret\n")
    read_keys(tmp / "keys", {})


@case("TMP/keys, line 1 is not a key", KEY_LINE, "no such name", CORRECT)
def a_key_without_a_name(tmp: Path, _: Patch) -> None:
    (tmp / "keys").write_text(f"§ {'x' * 30}\n")
    read_keys(tmp / "keys", {})


@case(
    "ZHUFENG_SERVE_KEYS, line 1 is not a key",
    KEY_LINE,
    "a hash that is not 64 digits of 0 to 9 and a to f",
    CORRECT,
)
def a_wrong_hash(_: Path, __: Patch) -> None:
    read_keys(None, {"ZHUFENG_SERVE_KEYS": "me sha256:ABC"})


@case(
    "TMP/keys holds no key",
    "a line with a name and a key: without one everybody may ask",
    "empty lines and comments",
    "add a key, or leave the file out where everybody may ask",
)
def keys_that_are_comments(tmp: Path, _: Patch) -> None:
    (tmp / "keys").write_text("# me secret\n\n")
    read_keys(tmp / "keys", {})


@case("TMP/keys, line 2 is not a key", KEY_LINE, "a name that another key has", CORRECT)
def two_keys_of_one_name(tmp: Path, _: Patch) -> None:
    (tmp / "keys").write_text(f"me {'x' * 30}\nme {'y' * 30}\n")
    read_keys(tmp / "keys", {})


@case(
    "the server would answer everyone who reaches 0.0.0.0",
    "keys, for any host but this machine's own (127.0.0.1, ::1, localhost)",
    "none",
    "write keys to a file and name it in keys, or set ZHUFENG_SERVE_KEYS",
)
def a_server_for_everyone(tmp: Path, _: Patch) -> None:
    member = open_member(MemberSpec(name="a", url="http://localhost:1/v1", model="m"))
    serve(Mixture([member]), Ledger(tmp / "l"), ServeConfig(host="0.0.0.0"))


@case(
    "the ledger cannot tell the members apart",
    "members with names of their own",
    "a, a",
    "give each member a short name of its own",
)
def two_members_of_one_name(tmp: Path, _: Patch) -> None:
    member = open_member(MemberSpec(name="a", url="http://localhost:1/v1", model="m"))
    make_app(Mixture([member, member]), Ledger(tmp / "l"), ServeConfig(), read_keys(None, {}))


@case("f is not usable", "a port of 0 to 65535", "*", "correct it in f")
def no_port(_: Path, __: Patch) -> None:
    parse(ServeConfig, {"port": 70_000}, "f")


@case("f is not usable", "at_once of at least 1", "*", "correct it in f")
def nobody_at_once(_: Path, __: Patch) -> None:
    parse(ServeConfig, {"at_once": 0}, "f")


@case("f is not usable", "waiting of at least 0", "*", "correct it in f")
def fewer_than_nobody_waiting(_: Path, __: Patch) -> None:
    parse(ServeConfig, {"waiting": -1}, "f")


@case("f is not usable", "a finite member_timeout_s above 0", "*", "correct it in f")
def no_patience(_: Path, __: Patch) -> None:
    parse(ServeConfig, {"member_timeout_s": 0.0}, "f")


@case("f is not usable", "a model name", "*", "correct it in f")
def a_model_without_a_name(_: Path, __: Patch) -> None:
    parse(ServeConfig, {"model": " "}, "f")
