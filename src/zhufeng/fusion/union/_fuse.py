"""Members trained or read, documents scored."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from zhufeng.base import InputError, Source, read_text, shown, track, write_durable
from zhufeng.fusion.mix import MemberSpec, Mixed, Mixture, open_member
from zhufeng.fusion.small import train_small
from zhufeng.fusion.union._config import FuseConfig
from zhufeng.fusion.union._documents import Documents, cut, mixed
from zhufeng.fusion.union._table import EQUAL, MIXTURE, ORACLE, Table, tabulate
from zhufeng.training import TrainConfig

MEMBERS, TABLE = "members", "table.json"
MIXED = "mixed"


@dataclass(frozen=True)
class Fused:
    """What came of it."""

    names: tuple[str, ...]
    sets: Mapping[str, Sequence[Mixed]]
    table: Table

    @property
    def best(self) -> tuple[str, float] | None:
        """The member that is best in the mean of the sets, and its bits a byte; None where no
        member can say all of the texts.
        """
        means = {name: self.table.rows[name][-1] for name in self.names}
        known = {name: mean for name, mean in means.items() if mean is not None}
        return min(known.items(), key=lambda item: item[1], default=None)

    @property
    def figures(self) -> dict[str, float | None]:
        """Bits a byte in the mean of the sets."""
        mean = {name: row[-1] for name, row in self.table.rows.items()}
        return {
            "best_single_bpb": self.best and self.best[1],
            "equal_bpb": mean[EQUAL],
            "oracle_bpb": mean[ORACLE],
            "mixture_bpb": mean[MIXTURE],
        }


def fuse(
    config: FuseConfig,
    texts: Sequence[Source],
    members: Sequence[Source],
    folder: Path,
    seed: int,
) -> Fused:
    """Let models answer together, and judge them on documents.

    Args:
        config: the section ``[fuse]``.
        texts: a file a domain.
        members: files of canonical folders; without, small decoders are trained, and stay in
            ``members`` below `folder`.
        folder: gains ``table.json``; a killed attempt's members in it are taken up.
        seed: of the small decoders.

    Raises:
        InputError: too little text, or members that cannot be read or trained.
    """
    held_out = 1.0 if config.members else config.held_out
    names = _names([source.path for source in texts], "texts")
    domains = {
        name: _documents(source.local(), config, held_out)
        for name, source in zip(names, texts, strict=True)
    }
    if config.members:
        places = _folders(members)
    else:
        places = _train(config, domains, folder / MEMBERS, seed)
    specs = [MemberSpec(name=name, folder=str(place)) for name, place in places.items()]
    mixture = Mixture([open_member(spec) for spec in specs])
    sets = {name: list(one.judged) for name, one in domains.items()}
    if len(sets) > 1:
        sets[MIXED] = mixed(list(sets.values()))
    scored = {
        name: [mixture.score(document) for document in documents]
        for name, documents in track(list(sets.items()), "scoring")
    }
    table = tabulate(tuple(places), scored)
    told = {"columns": table.columns, "bits_per_byte": dict(table.rows)}
    write_durable(folder / TABLE, (json.dumps(told, indent=1) + "\n").encode())
    return Fused(tuple(places), scored, table)


def _train(
    config: FuseConfig, domains: Mapping[str, Documents], folder: Path, seed: int
) -> dict[str, Path]:
    training = TrainConfig(
        model=config.model,
        steps=config.steps,
        batch=config.batch,
        sequence=config.sequence,
        learning_rate=config.learning_rate,
        held_out=0.0,
    )
    folder.mkdir(exist_ok=True)
    places = {name: folder / name for name in domains}
    for name, documents in domains.items():
        train_small(documents.learned, training, places[name], seed)
    return places


def _folders(members: Sequence[Source]) -> dict[str, Path]:
    if far := next((source.url for source in members if source.url is not None), None):
        raise InputError(
            f"{far} is not on this machine",
            expected="folders of members that can be read from the disk",
            came="a URL",
            do="copy the folder here, and name the copy",
        )
    folders = sorted({source.path.parent for source in members})
    return dict(zip(_names(folders, "members"), folders, strict=True))


def _documents(path: Path, config: FuseConfig, held_out: float) -> Documents:
    found = cut(read_text(path, "a text"), config.document, held_out)
    if not found.judged or (not config.members and not found.learned):
        raise InputError(
            f"{path} is too short to be cut into documents",
            expected=f"some of {config.document} characters, at the end {held_out:.0%} of the text",
            came=f"{len(found.learned)} to learn from, {len(found.judged)} to be judged on",
            do="give a longer text, or a smaller 'document' or 'held_out'",
        )
    return found


def _names(paths: Sequence[Path], what: str) -> list[str]:
    """The shortest of their own that a folder can have, too; of a file, without its ending."""
    names = [path.name if path.is_dir() else path.stem for path in paths]
    if twice := next((name for name in [*names, MIXED] if [*names, MIXED].count(name) > 1), None):
        raise InputError(
            f"two of the {what} have the name {shown(twice)}",
            expected=f"names that differ, and none of them '{MIXED}'",
            came=", ".join(map(shown, names)),
            do="rename one of them",
        )
    return names
