"""The stages of the pipeline: probe, watch, listen, caption, compose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from zhufeng.base import fetch, is_url, to_json
from zhufeng.corpus._meter import Meter
from zhufeng.corpus._parts import Captioned, Heard, Media, Watched
from zhufeng.corpus.captions import CaptionConfig, Captioner, caption_hashes
from zhufeng.corpus.engine import Item, Resources, UnitStage
from zhufeng.corpus.media import probe
from zhufeng.corpus.screen import Reader, ScreenConfig, screen_hashes, watch
from zhufeng.corpus.speech import Listener, SpeechConfig, listen, speech_hashes

Device = Literal["cpu", "cuda"]
_MEDIA_CODE = ("zhufeng.corpus._parts", "zhufeng.corpus.media")


def local(item: Item) -> Path:
    """The item's file on this machine."""
    if is_url(item.source):
        return fetch(item.source, item.content)
    return Path(item.source)


@dataclass(frozen=True)
class Probe(UnitStage):
    """What a file is."""

    name: ClassVar[str] = "probe"
    each: ClassVar[Literal["document", "span"]] = "document"
    provides: ClassVar[type] = Media
    code: ClassVar[tuple[str, ...]] = _MEDIA_CODE

    def settings(self) -> Mapping[str, Any]:
        """Nothing is configured."""
        return {}

    def open(self) -> None:
        """Nothing to load."""

    def work(self, item: Item, meter: Meter) -> Media:
        """See `zhufeng.corpus.media.probe`."""
        with meter.step("probe"):
            return probe(local(item))


@dataclass(frozen=True, kw_only=True)
class _OnDevice(UnitStage):
    config: ScreenConfig | SpeechConfig | CaptionConfig
    device: Device = "cpu"
    _loaded: list[Any] = field(default_factory=list, repr=False, compare=False)

    @property
    def resources(self) -> Resources:
        """A quarter of a graphics card holds the models of a worker."""
        return Resources(gpus=0.25 if self.device == "cuda" else 0.0)

    def settings(self) -> Mapping[str, Any]:
        """The configuration, and where it runs."""
        return {"config": to_json(self.config), "device": self.device}


@dataclass(frozen=True, kw_only=True)
class Watch(_OnDevice):
    """Shots and on-screen text."""

    name: ClassVar[str] = "watch"
    each: ClassVar[Literal["document", "span"]] = "span"
    provides: ClassVar[type] = Watched
    code: ClassVar[tuple[str, ...]] = (*_MEDIA_CODE, "zhufeng.corpus.screen")

    config: ScreenConfig

    def models(self) -> Mapping[str, str]:
        """Of text recognition."""
        return screen_hashes(self.config)

    def open(self) -> None:
        """Load detector and recogniser."""
        self._loaded[:] = [Reader(self.config, self.device)]

    def work(self, item: Item, meter: Meter) -> Watched:
        """See `zhufeng.corpus.screen.watch`."""
        assert item.media is not None
        assert item.span is not None
        return watch(local(item), item.media, item.span, self._loaded[0], meter)


@dataclass(frozen=True, kw_only=True)
class Listen(_OnDevice):
    """Speech."""

    name: ClassVar[str] = "listen"
    each: ClassVar[Literal["document", "span"]] = "span"
    provides: ClassVar[type] = Heard
    code: ClassVar[tuple[str, ...]] = (*_MEDIA_CODE, "zhufeng.corpus.speech")

    config: SpeechConfig

    def models(self) -> Mapping[str, str]:
        """Of speech."""
        return speech_hashes(self.config)

    def open(self) -> None:
        """Load the speech model and the voice detector."""
        self._loaded[:] = [Listener(self.config, self.device)]

    def work(self, item: Item, meter: Meter) -> Heard:
        """See `zhufeng.corpus.speech.listen`."""
        assert item.media is not None
        assert item.span is not None
        return listen(local(item), item.media, item.span, self._loaded[0], meter)


@dataclass(frozen=True, kw_only=True)
class Describe(_OnDevice):
    """Captions, one a shot."""

    name: ClassVar[str] = "caption"
    each: ClassVar[Literal["document", "span"]] = "span"
    needs: ClassVar[tuple[str, ...]] = ("watch",)
    provides: ClassVar[type] = Captioned
    code: ClassVar[tuple[str, ...]] = (*_MEDIA_CODE, "zhufeng.corpus.captions")

    config: CaptionConfig

    def models(self) -> Mapping[str, str]:
        """The vision-language model."""
        return caption_hashes(self.config)

    def open(self) -> None:
        """Load the model, or find the endpoint."""
        self._loaded[:] = [Captioner(self.config, self.device)]

    def work(self, item: Item, meter: Meter) -> Captioned:
        """See `zhufeng.corpus.captions.Captioner.caption`."""
        shots = tuple(shot for watched in item.upstream["watch"] for shot in watched.shots)
        captioned: Captioned = self._loaded[0].caption(local(item), shots, meter)
        return captioned

    def may_pass(self, value: Captioned) -> bool:
        """Whether the endpoint has not answered for some shot."""
        return value.passing
