"""Commands as a user meets them: results on stdout, talk on stderr, exit codes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Answer

from zhufeng.cli import _main
from zhufeng.records import read_shard
from zhufeng.route import demo_recipe

Call = Callable[..., Answer]
TEXTS = demo_recipe().parent / "texts"


def test_the_demo_ends_with_a_page_and_names_what_is_not_built(
    zhufeng: Call, tmp_path: Path
) -> None:
    answer = zhufeng("demo", "-o", tmp_path / "run")
    assert answer.code == 0
    assert re.search(r"not built yet: .*chip", answer.out)
    assert f"page: file://{tmp_path}/run/index.html" in answer.out
    assert (tmp_path / "run" / "index.html").stat().st_size > 5000
    assert read_shard(tmp_path / "run/corpus/tokens-00000").tokens > 5000
    again = zhufeng("demo", "-o", tmp_path / "run", "--json")
    assert {stage["did"] for stage in json.loads(again.out)["stages"]} == {"nothing"}


def test_json_is_alone_on_stdout(zhufeng: Call, tmp_path: Path) -> None:
    for arguments in (
        ("corpus", "build", TEXTS, "-o", tmp_path / "run"),
        ("status", tmp_path / "run"),
        ("report", tmp_path / "run"),
        ("doctor",),
    ):
        answer = zhufeng(*arguments, "--json")
        assert isinstance(json.loads(answer.out), dict), arguments


def test_status_finds_what_is_stale_with_exit_code_1(zhufeng: Call, tmp_path: Path) -> None:
    text, run = tmp_path / "a.txt", tmp_path / "run"
    text.write_text("one")
    assert zhufeng("corpus", "build", text, "-o", run).code == 0
    assert zhufeng("status", run).code == 0
    text.write_text("two")
    answer = zhufeng("status", run)
    assert answer.code == 1
    assert "stale" in answer.out
    assert "a.txt has other content" in answer.out
    assert json.loads(zhufeng("status", run, "--json").out)["stages"][0]["state"] == "stale"
    assert zhufeng("run", run / "run.toml", "-o", run).code == 0
    assert zhufeng("status", run, "--verify").code == 0


def test_corpus_build_refuses_other_inputs_and_says_which(zhufeng: Call, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one")
    (tmp_path / "b.txt").write_text("two")
    run = tmp_path / "run"
    assert zhufeng("corpus", "build", tmp_path / "a.txt", "-o", run).code == 0
    answer = zhufeng("corpus", "build", tmp_path / "b.txt", "-o", run)
    assert answer.code == 2
    assert "input inputs: b.txt is new" in answer.err


def test_a_flag_beats_the_environment_beats_the_file(
    zhufeng: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.txt").write_text("one")
    recipe = tmp_path / "r.toml"
    recipe.write_text('name = "t"\nseed = 1\n[corpus]\ninputs = ["a.txt"]\nshard_tokens = 10\n')

    run_names: list[str] = []

    def seed_and_tokens(*flags: str) -> tuple[int, int]:
        run_names.append(f"run-{len(run_names)}")
        run = tmp_path / run_names[-1]
        assert zhufeng("run", recipe, "-o", run, *flags).code == 0
        spec = json.loads((run / "corpus/manifest.json").read_text())["spec"]
        made_with = tomllib.loads((run / "run.toml").read_text())
        return made_with["seed"], spec["configuration"]["shard_tokens"]

    assert seed_and_tokens() == (1, 10)
    monkeypatch.setenv("ZHUFENG_SEED", "2")
    monkeypatch.setenv("ZHUFENG_CORPUS_SHARD_TOKENS", "20")
    assert seed_and_tokens() == (2, 20)
    assert seed_and_tokens("--seed", "3", "--set", "corpus.shard_tokens=30") == (3, 30)
    # A run keeps what it was made with, whatever the environment says later.
    assert zhufeng("status", tmp_path / run_names[-1]).code == 0


def test_verbose_tells_more(zhufeng: Call, tmp_path: Path) -> None:
    assert "key" not in zhufeng("corpus", "build", TEXTS, "-o", tmp_path / "a").err
    verbose = zhufeng("corpus", "build", TEXTS, "-o", tmp_path / "b", "-v").err
    key = json.loads((tmp_path / "b/corpus/manifest.json").read_text())["spec"]["seed"]
    assert key == 0, "nothing in the corpus is drawn at random"
    assert "corpus: key " in verbose
    assert "[corpus] inputs: 3 files" in verbose


def test_the_demo_does_not_take_another_runs_place(zhufeng: Call, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one")
    run = tmp_path / "run"
    assert zhufeng("corpus", "build", tmp_path / "a.txt", "-o", run).code == 0
    before = (run / "run.toml").read_bytes()
    answer = zhufeng("demo", "-o", run)
    assert answer.code == 2
    assert "is another run" in answer.err
    assert (run / "run.toml").read_bytes() == before


def test_a_misspelt_setting_in_the_environment_warns(
    zhufeng: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZHUFENG_CORPUS_SHARD_TOKEN", "5")
    monkeypatch.setenv("ZHUFENG_CACHE", str(tmp_path / "cache"))
    recipe = tmp_path / "r.toml"
    recipe.write_text(f'name = "t"\n[corpus]\ninputs = ["{TEXTS}"]\n')
    answer = zhufeng("run", recipe, "-o", tmp_path / "run")
    assert answer.code == 0
    assert "ZHUFENG_CORPUS_SHARD_TOKEN is ignored" in answer.err
    assert "was ZHUFENG_CORPUS_SHARD_TOKENS meant?" in answer.err
    assert "ZHUFENG_CACHE" not in answer.err


def test_doctor_names_what_is_missing_with_the_pip_line(
    zhufeng: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    from zhufeng.cli import doctor

    installed = doctor._installed
    monkeypatch.setattr(doctor, "_installed", lambda n: None if n == "torch" else installed(n))
    told = json.loads(zhufeng("doctor", "--json").out)
    line, _, missing = told["extras"]["train"].partition("  (missing: ")
    assert line == "pip install 'zhufeng[train]'"
    assert "torch" in missing.rstrip(")").split(", ")
    assert "torch" in told["extras"]["fusion"]
    assert told["versions"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert told["stages"]["corpus"] == "works"
    assert told["stages"]["chip"] == "not built yet"


def test_doctor_finds_a_version_that_does_not_work(
    zhufeng: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    from zhufeng.cli import doctor

    installed = doctor._installed
    monkeypatch.setattr(doctor, "_installed", lambda n: "1.0" if n == "numpy" else installed(n))
    answer = zhufeng("doctor", "--json")
    assert answer.code == 1
    assert "numpy 1.0 is installed; zhufeng needs >=2" in json.loads(answer.out)["findings"][0]


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["run", "--help"], ["doctor"]])
def test_torch_is_never_imported_for_help(arguments: list[str]) -> None:
    seen = "{'torch', 'transformers', 'matplotlib', 'pandas', 'av', 'ray'} & set(sys.modules)"
    code = (
        "import sys; from zhufeng.cli import main\n"
        f"assert main({arguments!r}) == 0\n"
        f"heavy = {seen}\nassert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_help_lists_every_command_and_each_has_help(zhufeng: Call) -> None:
    listed = zhufeng("--help").out
    for command in ("demo", "run", "status", "report", "corpus", "hdl", "doctor"):
        assert f" {command} " in listed
        assert zhufeng(command, "--help").code == 0
    assert zhufeng().code == 0


def test_a_closed_pipe_is_no_error() -> None:
    command = f"{sys.executable} -m zhufeng doctor | head -c 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert done.stdout == "V0\n"


def test_a_project_with_a_recipe_of_its_own_is_no_run(zhufeng: Call, tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text('# mine\nname = "x"\n[corpus]\ninputs = ["a.txt"]\n')
    (tmp_path / "a.txt").write_text("one")
    (tmp_path / "index.html").write_text("my page")
    (tmp_path / "thesis.unfinished").write_text("years of work")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    for command in (["run", tmp_path / "recipe.toml"], ["demo"], ["corpus", "build", "a.txt"]):
        assert zhufeng(*command, "-o", tmp_path).code == 2
    assert before == {path: path.read_bytes() for path in tmp_path.iterdir()}


def test_an_interrupt_says_how_to_go_on(tmp_path: Path) -> None:
    """Ctrl-C while a stage works: a real signal to a real process."""
    (tmp_path / "rows.jsonl").write_text('{"text": "x"}\n' * 300_000)
    command = [sys.executable, "-m", "zhufeng", "corpus", "build", str(tmp_path / "rows.jsonl")]
    with subprocess.Popen(
        [*command, "-o", str(tmp_path / "run")],
        stderr=subprocess.PIPE,
        text=True,
        # What a shell starts in the background ignores interrupts, and all that this starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    ) as process:
        assert process.stderr
        assert process.stderr.readline() == "corpus: at work\n"
        process.send_signal(signal.SIGINT)
        told = process.stderr.read()
    assert process.returncode == 130
    assert told == "zhufeng: interrupted; the same command goes on where this one was\n"
    assert not (tmp_path / "run" / "corpus").exists()


@pytest.mark.parametrize("closed", ["2>&-", ">&-", ">&- 2>&-"])
def test_closed_streams_are_no_fault(tmp_path: Path, closed: str) -> None:
    command = f"{sys.executable} -m zhufeng corpus build {TEXTS} -o {tmp_path}/run {closed}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_an_ascii_terminal_is_no_fault(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "zhufeng", "corpus", "build", TEXTS, "-o", tmp_path / "中文"],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


class Raises:
    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __call__(self, *_: Any, **__: Any) -> None:
        raise self.error


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (KeyboardInterrupt(), 130, "interrupted; the same command goes on"),
        (OSError(28, "No space left on device"), 2, "No space left on device"),
        (BrokenPipeError(32, "a tool that a stage uses has died"), 2, "has died"),
        (ZeroDivisionError("ours"), 70, "this is a fault in Zhufeng"),
    ],
)
def test_what_is_not_the_users_mistake(
    zhufeng: Call, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, text: str
) -> None:
    monkeypatch.setattr(_main, "build_app", lambda: Raises(error))
    answer = zhufeng("demo")
    assert answer.code == code
    assert text in answer.err
    assert ("Traceback" in answer.err) == (code == 70)
