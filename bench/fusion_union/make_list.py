"""Make ``files.json``: files of pinned packages, no two of them near copies of one another.

    PYTHONPATH=bench python -m fusion_union.make_list

The packages of a domain take turns, each with the file whose path hashes least, until the domain
is large enough. Of near copies (a Jaccard similarity of half or more of what a document shows) the
longest stays, so that no test document has a near copy among what is learned, however they are
divided. A licence may still stand whole in another's collection of licences: what so stands half or
more in another document is marked, and only learned.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from importlib import metadata
from pathlib import Path

from fusion_union.documents import (
    DOMAINS,
    FILES,
    SCORED_BYTES,
    Domain,
    Listed,
    document_text,
    middle,
)
from zhufeng.base import to_json, write_durable
from zhufeng.corpus.duplicates import DuplicateConfig, cluster, shingled

ROOT = Path(__file__).parents[2]
_NEAR = DuplicateConfig(threshold=0.5)
_BYTES = 1_600_000
"""Of a domain's documents, at most."""
_SHORTEST = 1_500
_TRIED = 600
"""Of a package's files, at most."""
_SOURCES = {
    "python": ("mypy", "networkx", "numpy", "pandas", "scipy", "sympy", "torch", "transformers"),
    "headers": ("mujoco", "numpy", "pyarrow", "torch", "ziglang"),
}
# What a build writes: it differs between builds of one version.
_OF_A_BUILD = re.compile(r"\.\.|__config__|config\.h$|macros\.h$|^torch-[^/]*/METADATA$")
_PATHS = {
    "python": re.compile(r"\.py$"),
    "headers": re.compile(r"\.(h|hpp|cuh)$"),
    "prose": re.compile(r"\.dist-info/(METADATA|licenses/.*|LICEN[CS]E[^/]*|COPYING[^/]*)$"),
}


def main() -> None:
    """Write the list."""
    pinned = dict(_pins())
    files = list(_judged([one for domain in DOMAINS for one in _of_domain(domain, pinned)]))
    packages = {one.package: pinned[one.package] for one in files}
    lines = [json.dumps(to_json(one), ensure_ascii=False) for one in files]
    versions = json.dumps(dict(sorted(packages.items())))
    text = f'{{"packages": {versions},\n"files": [\n' + ",\n".join(lines) + "\n]}\n"
    write_durable(FILES, text.encode())


def _judged(offered: list[tuple[Listed, str]]) -> Iterator[Listed]:
    """Which of them stand alone."""
    wholes = [set(shingled(text, _NEAR.shingle).shingles.tolist()) for _, text in offered]
    for (one, text), own in zip(offered, wholes, strict=True):
        part = set(shingled(middle(text, SCORED_BYTES), _NEAR.shingle).shingles.tolist())
        most = max(len(part & whole) for whole in wholes if whole is not own)
        yield replace(one, alone=2 * most < len(part))


def _pins() -> Iterator[tuple[str, str]]:
    """Every pinned package that is installed, and its version."""
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        name, _, version = line.partition("==")
        if version and any(True for _ in metadata.distributions(name=name)):
            yield name, version


def _of_domain(domain: Domain, pinned: dict[str, str]) -> list[tuple[Listed, str]]:
    packages = _SOURCES.get(domain, tuple(pinned))
    found = [list(_candidates(domain, package)) for package in packages]
    turns = itertools.chain.from_iterable(itertools.zip_longest(*found))
    offered = {one.path: (one, text) for one, text in filter(None, turns)}
    # Near copies go before the domain is filled, or it would be filled with what goes.
    near = cluster([(name, text) for name, (_, text) in offered.items()], _NEAR)
    kept, size = [], 0
    for name, (one, text) in offered.items():
        size += len(text.encode()) if near.get(name, name) == name else 0
        if size > _BYTES:
            break
        if near.get(name, name) == name:
            kept.append((one, text))
    return kept


def _candidates(domain: Domain, package: str) -> Iterator[tuple[Listed, str]]:
    """A package's files in the order of their paths' hashes."""
    own = metadata.distribution(package)
    paths = [str(path) for path in own.files or () if _PATHS[domain].search(str(path))]
    for path in sorted(paths, key=lambda path: _hash(path.encode()))[:_TRIED]:
        place = Path(str(own.locate_file(path)))
        if _OF_A_BUILD.search(path) or not place.is_file():
            continue
        data = place.read_bytes()
        try:
            text = document_text(path, data)
        except UnicodeDecodeError:
            continue
        if len(text.encode()) >= _SHORTEST:
            yield (
                Listed(domain=domain, package=package, path=path, sha256=_hash(data), alone=False),
                text,
            )


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


if __name__ == "__main__":
    main()
