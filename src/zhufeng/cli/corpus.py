"""``zhufeng corpus``: sources into training text."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from zhufeng.cli._common import Talk, Whole, finish_run
from zhufeng.route import add_to_run

_NO_TALK = Talk()

app = App(name="corpus", help="Sources into training text and token shards.")


@app.command
def build(
    *inputs: str,
    output: Annotated[Path, Parameter(name=("--output", "-o"))],
    config: Path | None = None,
    tokenizer: str | None = None,
    end_of_document: str | None = None,
    shard_tokens: Whole | None = None,
    talk: Talk = _NO_TALK,
) -> int:
    """Read sources into documents and token shards, as the artifact 'corpus' of a run.

    Parameters
    ----------
    inputs
        Files (.txt, .md, .jsonl, .parquet), folders and globs.
    output
        The run's folder; made if it is not there.
    config
        A TOML file with a section [corpus].
    tokenizer
        A Hugging Face tokenizer.json; without it tokens are bytes.
    end_of_document
        The token of that file that ends a document.
    shard_tokens
        A shard is closed by the first document that brings it to this many tokens.
    """
    talk.begin()
    flags = {
        "inputs": list(inputs) or None,
        "tokenizer": tokenizer,
        "end_of_document": end_of_document,
        "shard_tokens": shard_tokens,
    }
    run, result = add_to_run(output, "corpus", flags, config)
    finish_run(run, [result], talk)
    return 0
