"""``zhufeng fuse``: several models into one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from zhufeng.base import Files, InputError, anchor, expand, parse, read_toml, to_json
from zhufeng.cli._common import (
    FINDING,
    Several,
    Talk,
    Whole,
    emit,
    emit_json,
    emit_table,
    finish_run,
)
from zhufeng.report import si
from zhufeng.route import add_to_run

if TYPE_CHECKING:
    from zhufeng.fusion.ledger import Audit, Shares
    from zhufeng.fusion.merge import Plan

_NO_TALK = Talk()
_Output = Annotated[Path, Parameter(name=("--output", "-o"))]

app = App(name="fuse", help="Several models into one.")
for _name in ("unify", "verify", "export", "unite", "experts"):
    app.command(f"zhufeng.cli.fuse_folders:{_name}", name=_name)


@app.command
def plan(recipe: Path, /, *, threads: Whole | None = None, talk: Talk = _NO_TALK) -> int:
    """Say what a merge will read, write and take, from headers alone; exit code 1 with problems.

    Parameters
    ----------
    recipe
        A TOML file, or mergekit's YAML.
    threads
        At work; without, as many as cores, and 0.5 GB of memory, have room for.
    """
    talk.begin()
    from zhufeng.fusion import merge  # noqa: PLC0415 (--help needs none of it)

    settled = merge.plan(merge.read_recipe(recipe))
    if talk.json:
        emit_json(_told(settled, threads))
    else:
        _tell(settled, threads)
    return FINDING if settled.problems else 0


def _told(settled: Plan, threads: int | None) -> dict[str, object]:
    return {
        "method": settled.recipe.method,
        "models": [str(model.folder) for model in settled.models],
        "tensors": len(settled.tasks),
        "layers": settled.layers,
        "bytes_read": settled.bytes_read,
        "bytes_written": settled.bytes_written,
        "predicted_s": settled.seconds(threads),
        "predicted_memory_bytes": settled.memory_bytes(threads),
        "problems": list(settled.problems),
        "notes": list(settled.notes),
    }


def _tell(settled: Plan, threads: int | None) -> None:
    rows = [
        ["method", settled.recipe.method],
        *(["model", str(model.folder)] for model in settled.models),
        ["tensors", f"{len(settled.tasks):,} in {settled.layers} layers"],
        ["read", f"{si(settled.bytes_read)}B"],
        ["written", f"{si(settled.bytes_written)}B"],
        ["predicted", f"{settled.seconds(threads):.1f} s, {si(settled.memory_bytes(threads))}B"],
        *(["note", note] for note in settled.notes),
        *(["problem", problem] for problem in settled.problems),
    ]
    emit_table(["", ""], rows)


@app.command
def run(
    recipe: Path, /, *, output: _Output, threads: Whole | None = None, talk: Talk = _NO_TALK
) -> int:
    """Merge models of one family; killed, the same command goes on to the same bytes.

    Parameters
    ----------
    recipe
        A TOML file, or mergekit's YAML.
    output
        The folder to make.
    threads
        At work; without, as many as cores, and 0.5 GB of memory, have room for.
    """
    talk.begin()
    from zhufeng.fusion import merge  # noqa: PLC0415 (torch)

    lineage = merge.run(merge.read_recipe(recipe), output.resolve(), threads=threads)
    if talk.json:
        emit_json({"folder": str(output), "lineage": to_json(lineage)})
        return 0
    rows = [[one.name, one.licence or "unknown", one.sha256[:16]] for one in lineage.sources]
    emit_table(["source", "licence", "sha256"], rows)
    emit("".join(f"\n{note}\n" for note in lineage.notes) + f"\n{output}\n")
    return 0


@app.command
def score(
    members: Annotated[tuple[str, ...], Parameter(name="members")] = (),
    /,
    *,
    texts: Annotated[tuple[str, ...], Several] = (),
    output: _Output,
    config: Path | None = None,
    talk: Talk = _NO_TALK,
) -> int:
    """Let models answer as one and judge them on texts, as the artifact 'fuse' of a run.

    Parameters
    ----------
    members
        Canonical folders with a tokenizer.json.
    texts
        A text file or a folder of them; each file is a domain.
    output
        The run's folder; made if it is not there.
    config
        A TOML file with a section [fuse].
    """
    talk.begin()
    flags = {"members": list(members) or None, "texts": list(texts) or None}
    walked, result = add_to_run(output, "fuse", flags, config)
    finish_run(walked, [result], talk)
    return 0


@app.command
def distil(
    config: Path,
    text: str,
    /,
    *texts: str,
    members: Path,
    output: _Output,
    seed: Whole = 0,
    talk: Talk = _NO_TALK,
) -> int:
    """Teach a mixture to one student, beside two baselines; killed, the same command goes on.

    Parameters
    ----------
    config
        A TOML file: student, tokenizer, weight, steps.
    text
        What is learned from: texts, JSONL or Parquet documents, or token shards.
    texts
        More of it.
    members
        A TOML file with a [[member]] each.
    output
        A folder; made if it is not there.
    seed
        Of weights and order.
    """
    talk.begin()
    from zhufeng.fusion import distil as room  # noqa: PLC0415 (torch)
    from zhufeng.fusion.mix import Members  # noqa: PLC0415

    settings = parse(room.DistilConfig, _anchored(read_toml(config), config), str(config))
    named = parse(Members, read_toml(members), str(members)).anchored(members.resolve().parent)
    teachers = [room.open_teacher(one, settings.teacher) for one in named]
    found = expand([text, *texts], Path.cwd(), Files(endings=room.ENDINGS), "texts")
    corpus = room.CorpusFiles([source.local() for source in found])
    check_apart(output, [Path(one.folder) for one in named if one.folder is not None])
    result = room.distil(settings, teachers, corpus, output.resolve(), seed)
    if talk.json:
        emit_json(to_json(result))
    else:
        emit(room.distil_table(result) + f"\n\n{output}\n")
    return 0


def check_apart(output: Path, members: Sequence[Path]) -> None:
    """Refuse an output in a member's folder: it would make another member of it.

    Raises:
        InputError: it lies in one.
    """
    for member in members:
        if output.resolve().is_relative_to(member.resolve()):
            raise InputError(
                f"{output} lies in the folder of a member",
                expected="a folder apart from the models",
                came=f"one in {member}",
                do="name another --output",
            )


def _anchored(table: dict[str, Any], config: Path) -> dict[str, Any]:
    """Paths in it start at the file's own folder."""
    paths = {key: table[key] for key in ("begin", "tokenizer") if isinstance(table.get(key), str)}
    base = config.resolve().parent
    return {**table, **{key: anchor(path, base) for key, path in paths.items()}}


@app.command
def serve(config: Path, /, *, talk: Talk = _NO_TALK) -> int:
    """Answer as one model: OpenAI's completions and chat over a mixture, until interrupted.

    Parameters
    ----------
    config
        A TOML file: a [[member]] each (name, and folder or url with model), a ledger, a [serve].
    """
    talk.begin()
    from zhufeng.fusion.serve import Endpoint, serve_endpoint  # noqa: PLC0415 (a server)

    endpoint = parse(Endpoint, read_toml(config), str(config))
    serve_endpoint(endpoint, config.resolve().parent)
    return 0


@app.command
def ledger(
    folder: Path,
    /,
    *,
    since: str | None = None,
    until: str | None = None,
    public_key: str | None = None,
    head: Annotated[tuple[Path, ...], Several] = (),
    talk: Talk = _NO_TALK,
) -> int:
    """Audit a ledger, and say who contributed what; exit code 1 where it does not hold.

    Parameters
    ----------
    folder
        The ledger's.
    since
        The first day to share, YYYY-MM-DD, UTC.
    until
        The last.
    public_key
        What its key must be, 64 hexadecimal digits known from elsewhere.
    head
        A copy of its head.json that was given away earlier.
    """
    talk.begin()
    from zhufeng.fusion.ledger import audit, read_head, shares  # noqa: PLC0415 (cryptography)

    days = _day(since, "--since"), _day(until, "--until")
    found = audit(folder, public_key=public_key, published=map(read_head, head))
    shared = shares(folder, *days) if found.fault is None else None
    if talk.json:
        emit_json({"audit": to_json(found), "shares": shared and to_json(shared)})
    else:
        _tell_ledger(found, shared)
    return FINDING if found.fault else 0


def _day(given: str | None, flag: str) -> date | None:
    if given is None:
        return None
    try:
        return date.fromisoformat(given)
    except ValueError:
        raise InputError(
            f"{flag} is not a day", expected="YYYY-MM-DD", came=given, do="spell it so"
        ) from None


def _tell_ledger(found: Audit, shared: Shares | None) -> None:
    if found.fault is not None:
        emit(f"does not hold: {found.fault}\n")
    else:
        emit(f"holds: {found.lines:,} lines, {found.answers:,} answers\n")
    if shared is None or not shared.members:
        return
    emit("\n")
    rows = [
        [
            one.member,
            f"{one.contribution_nanobits / 1e9:,.3f}",
            "" if one.fraction is None else f"{one.fraction:.2%}",
        ]
        for one in shared.members
    ]
    emit_table(["member", "bits", "share"], rows)


@app.command
def auto(
    folder: Path,
    *folders: Path,
    base: Path | None = None,
    single: Annotated[bool, Parameter(negative="")] = False,
    talk: Talk = _NO_TALK,
) -> int:
    """For each pair of models: merge, unite, mix or distil, and why; from headers and samples.

    Parameters
    ----------
    folder
        A model's, Hugging Face's or canonical.
    folders
        More of them.
    base
        The model from which others may have been tuned.
    single
        One model is wanted in the end, not one that is served.
    """
    talk.begin()
    from zhufeng.fusion.auto import auto as advise  # noqa: PLC0415 (torch)

    advice = advise([folder, *folders], base=base, single=single)
    if talk.json:
        emit_json(to_json(advice))
        return 0
    for pair in advice.pairs:
        methods = f" ({', '.join(pair.methods)})" if pair.methods else ""
        emit(f"{pair.first} and {pair.second}: {pair.way}{methods}\n")
        emit("".join(f"  {reason}\n" for reason in pair.reasons))
    return 0
