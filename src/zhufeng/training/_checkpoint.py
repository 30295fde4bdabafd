"""Checkpoints: whole or absent, and known for damaged when they are.

``checkpoints/step-NNNNNNNN/`` is written beside its place, brought to the disk and renamed; then
``LATEST`` names it. ``state.json``, written last, holds the hash of every other file. Random
numbers have no state here: every draw is a function of the seed and the step.
"""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save
from torch import Tensor, nn
from torch.distributed.checkpoint import state_dict_loader, state_dict_saver
from torch.distributed.checkpoint.filesystem import FileSystemReader, FileSystemWriter

from zhufeng.base import InputError, files_below, record, sha256_file, sync_folder, write_durable
from zhufeng.records import Form
from zhufeng.training._artifact import step_name
from zhufeng.training._config import CheckpointFormat

LATEST = "LATEST"
_STATE = "state.json"
_KEPT = 2
_PARTS = ("model", "optimizer")
# Of AdamW, for each parameter; the first is a count.
_MOMENTS = ("step", "exp_avg", "exp_avg_sq")


@record
class State:
    """What a checkpoint holds beside its tensors."""

    step: int
    """Steps that are done."""
    targets: int
    """Learned from in them."""
    format: CheckpointFormat
    files: Mapping[str, str]
    """SHA-256 of every other file of the checkpoint."""


_FORM = Form("checkpoint", State)


@dataclass
class Trained:
    """What a checkpoint puts down and takes up."""

    model: nn.Module
    optimizer: torch.optim.Optimizer

    def parts(self) -> dict[str, dict[str, Tensor]]:
        """All tensors by part and name, a tied one under the first of its names."""
        moments = {
            f"{name}/{key}": self.optimizer.state[parameter][key]
            for name, parameter in self.model.named_parameters()
            for key in _MOMENTS
        }
        return dict(zip(_PARTS, (_distinct(self.model), moments), strict=True))

    def prepare(self) -> None:
        """Make room for the optimizer's state, which AdamW makes at its first step."""
        for parameter in self.model.parameters():
            step = torch.zeros((), dtype=torch.float32, device=parameter.device)
            zeros = (torch.zeros_like(parameter) for _ in _MOMENTS[1:])
            self.optimizer.state[parameter] = dict(zip(_MOMENTS, (step, *zeros), strict=True))


def write_checkpoint(
    folder: Path, trained: Trained, step: int, targets: int, form: CheckpointFormat
) -> None:
    """Put down a checkpoint; the one before it is kept, older ones go.

    Args:
        folder: of all checkpoints; made if it is not there.
        trained: model and optimizer.
        step: steps that are done.
        targets: learned from in them.
        form: safetensors, or torch's distributed checkpoint.
    """
    folder.mkdir(exist_ok=True)
    beside, place = folder / f".{step_name(step)}", folder / step_name(step)
    for old in (beside, place):
        shutil.rmtree(old, ignore_errors=True)
    beside.mkdir()
    if form == "safetensors":
        for part, tensors in trained.parts().items():
            write_durable(beside / f"{part}.safetensors", save(tensors))
    else:
        writer = FileSystemWriter(beside, sync_files=True)
        with _without_a_group():
            state_dict_saver.save(trained.parts(), storage_writer=writer)
    hashes = {name: _hash(beside / name) for name in files_below(beside)}
    _FORM.write_json(beside / _STATE, State(step=step, targets=targets, format=form, files=hashes))
    beside.rename(place)
    sync_folder(folder)
    write_durable(folder / LATEST, f"{place.name}\n".encode())
    _remove_all_but(folder, _steps(folder)[-_KEPT:])


def read_checkpoint(folder: Path, trained: Trained) -> State | None:
    """Take up the newest whole checkpoint that ``LATEST`` does not precede; None if there is none.

    Newer ones, and what a kill has left half written, are removed: they will be made again.
    """
    latest = folder / LATEST
    known = latest.read_bytes().decode(errors="replace").strip() if latest.exists() else ""
    steps = [name for name in _steps(folder) if name <= known or not known.startswith("step-")]
    while steps:
        state = _whole(folder / steps[-1])
        if state is not None:
            _remove_all_but(folder, steps)
            _load(folder / steps[-1], state, trained)
            return state
        steps.pop()
    _remove_all_but(folder, steps)
    return None


def _whole(place: Path) -> State | None:
    """The state of a checkpoint all of whose files are as they were written."""
    try:
        state = _FORM.read_json(place / _STATE)
        hashes = {name: _hash(place / name) for name in state.files}
    except (InputError, OSError):
        return None
    return state if hashes == state.files else None


def _load(place: Path, state: State, trained: Trained) -> None:
    trained.prepare()
    parts = trained.parts()
    if state.format == "safetensors":
        for part, tensors in parts.items():
            found = load_file(place / f"{part}.safetensors")
            for name, tensor in tensors.items():
                tensor.copy_(found[name])
    else:
        with _without_a_group():
            state_dict_loader.load(parts, storage_reader=FileSystemReader(place))


def _distinct(model: nn.Module) -> dict[str, Tensor]:
    seen: dict[int, str] = {}
    state = model.state_dict(keep_vars=True)
    return {
        name: tensor.detach()
        for name, tensor in state.items()
        if seen.setdefault(id(tensor), name) == name
    }


def _steps(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("step-*"))


def _remove_all_but(folder: Path, kept: list[str]) -> None:
    for path in folder.glob("*") if folder.exists() else ():
        if path.is_dir() and path.name not in kept:
            shutil.rmtree(path)


def _hash(path: Path) -> str:
    return sha256_file(path, remember=False)


@contextmanager
def _without_a_group() -> Iterator[None]:
    """One process needs no process group, and torch need not say so at every checkpoint."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "torch.distributed is disabled", UserWarning)
        yield
