"""Stages without media, for the engine's tests: they count, and die when told to."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from zhufeng.base import InputError
from zhufeng.corpus._meter import Meter
from zhufeng.corpus._parts import Caption, Captioned, ItemError, Media, Span
from zhufeng.corpus.engine import Input, Item, Pipeline, UnitStage

HERE = ("tests.corpus.fake_stages",)


@dataclass(frozen=True)
class Length(UnitStage):
    """The "media" is a text file; its length is its duration."""

    name: ClassVar[str] = "probe"
    each: ClassVar[Literal["document", "span"]] = "document"
    provides: ClassVar[type] = Media
    code: ClassVar[tuple[str, ...]] = HERE

    def settings(self) -> Mapping[str, Any]:
        return {}

    def open(self) -> None:
        pass

    def work(self, item: Item, meter: Meter) -> Media:
        text = Path(item.source).read_text()
        if not text:
            raise ItemError("nothing in it")
        with meter.step("probe"):
            return Media(container="text", codecs=(), duration_s=len(text), video=True, audio=False)


@dataclass(frozen=True)
class Shout(UnitStage):
    """A span's text in capitals. What the text says happens: KILL, HOG, SLEEP, FETCH..."""

    name: ClassVar[str] = "shout"
    each: ClassVar[Literal["document", "span"]] = "span"
    provides: ClassVar[type] = Captioned
    code: ClassVar[tuple[str, ...]] = HERE

    mark: str = "!"
    model: str = ""

    def settings(self) -> Mapping[str, Any]:
        return {"mark": self.mark}

    def open(self) -> None:
        if self.model == "missing":
            raise InputError("no model", expected="one", came="none", do="get one")

    def work(self, item: Item, meter: Meter) -> Captioned:
        assert item.span is not None
        text = Path(item.source).read_text()
        if "COUNT" in os.environ:
            with Path(os.environ["COUNT"]).open("a") as file:
                file.write(f"{item.content} {item.span.t0}\n")
        happen(text, item)
        half = "HALF" in text and os.environ["NET"] == "down"
        end = int(item.span.t1) - 2 * half
        said = text[int(item.span.t0) : end].upper() + self.mark
        caption = Caption(t0=item.span.t0, t1=item.span.t1, text=said)
        return Captioned(captions=(caption,), passing=half)

    def may_pass(self, value: Captioned) -> bool:
        return value.passing


def happen(text: str, item: Item) -> None:
    if "KILL" in text:
        os.kill(os.getpid(), signal.SIGKILL)
    if "ONCE" in text:
        flag = Path(item.source + ".once")
        if not flag.exists():
            flag.touch()
            os.kill(os.getpid(), signal.SIGKILL)
    if "HOG" in text:
        hoard = bytearray(600_000_000)
        hoard[::4096] = b"x" * len(hoard[::4096])
        time.sleep(20)
    if "SLEEP" in text and "AWAKE" not in os.environ:
        time.sleep(60)
    if "FETCH" in text and os.environ["NET"] == "down":
        raise ConnectionResetError("the net is down")
    if "RAISE" in text:
        raise ValueError("as it was told")


@dataclass(frozen=True)
class Collect(UnitStage):
    """The spans together, and what went wrong with them."""

    name: ClassVar[str] = "compose"
    each: ClassVar[Literal["document", "span"]] = "document"
    needs: ClassVar[tuple[str, ...]] = ("shout",)
    provides: ClassVar[type] = Captioned
    code: ClassVar[tuple[str, ...]] = HERE

    between: str = ""

    def settings(self) -> Mapping[str, Any]:
        return {"between": self.between}

    def open(self) -> None:
        pass

    def work(self, item: Item, meter: Meter) -> Captioned:
        text = self.between.join(c.text for part in item.upstream["shout"] for c in part.captions)
        caption = Caption(t0=0.0, t1=1.0, text=text)
        return Captioned(captions=(caption,), problems=item.failures)


def pipeline(mark: str = "!", between: str = "", model: str = "") -> Pipeline:
    return Pipeline(
        stages=(Length(), Shout(mark=mark, model=model), Collect(between=between)),
        cut=lambda media: tuple(
            Span(t0=float(t), t1=min(t + 5.0, media.duration_s))
            for t in range(0, int(media.duration_s), 5)
        ),
        wanted=lambda stage, media: True,
    )


def inputs(folder: Path, texts: Mapping[str, str]) -> list[Input]:
    made = []
    for name, text in texts.items():
        path = folder / name
        path.write_text(text)
        made.append(Input(name, str(path), text))
    return made
