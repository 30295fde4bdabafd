"""Clips whose on-screen text is known to the pixel and the frame, because they are drawn here."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import cv2
import matplotlib as mpl
import numpy as np
from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Picture = NDArray[np.uint8]

Colour = tuple[int, int, int]
WHITE, BLACK, YELLOW = (255, 255, 255), (0, 0, 0), (255, 230, 60)


@dataclass(frozen=True)
class Cue:
    """Text that stands from `t0` to `t1`; several lines are parted by line feeds."""

    t0: float
    t1: float
    text: str


@cache
def chinese_font() -> str | None:
    """A font file with Chinese letters, if fontconfig knows one."""
    if shutil.which("fc-match") is None:
        return None
    found = subprocess.run(
        ["fc-match", "-f", "%{file}|%{lang}", "sans:lang=zh-cn"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    file, _, languages = found.partition("|")
    return file if "zh-cn" in languages.split("|") else None


@cache
def font(size: int, *, chinese: bool = False, bold: bool = False) -> ImageFont.FreeTypeFont:
    """The font that matplotlib carries, or a Chinese one."""
    if chinese:
        file = chinese_font()
        assert file is not None
        return ImageFont.truetype(file, size)
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(str(Path(mpl.get_data_path()) / "fonts" / "ttf" / name), size)


def scenery(seed: int, height: int, width: int, brightness: float = 150) -> Picture:
    """A picture like a photograph: bright, of all scales, with edges; [height, width, 3]."""
    random = np.random.default_rng(seed)
    total = np.zeros((height, width, 3), np.float32)
    for step in (256, 128, 64, 32, 16, 8, 4):
        coarse = random.normal(0, 1, (height // step + 2, width // step + 2, 3))
        coarse = 0.7 * coarse.mean(2, keepdims=True) + 0.3 * coarse
        size = (width, height)
        layer = cv2.resize(coarse.astype(np.float32), size, interpolation=cv2.INTER_CUBIC)
        total += layer * step**0.6
    total = brightness + 45 * total / total.std()
    for _ in range(width * height // 9000):
        x, y = random.integers(0, (width, height))
        radius = int(4 * 2 ** random.uniform(0, 4))
        corners = random.integers(-radius, radius + 1, (int(random.integers(3, 7)), 2))
        corners += np.array([x, y])
        shade = random.normal(brightness, 60) + random.normal(0, 20, 3)
        cv2.fillPoly(total, [corners.astype(np.int32)], shade.tolist(), cv2.LINE_AA)
    return np.asarray(np.clip(total, 0, 255), np.uint8)


def slid(picture: Picture, height: int, width: int, x: float, y: float) -> Picture:
    """A window of `picture` whose upper left corner is at `x`, `y`, to parts of a pixel."""
    centre = (x + (width - 1) / 2, y + (height - 1) / 2)
    return np.asarray(cv2.getRectSubPix(picture, (width, height), centre), np.uint8)


def write(
    picture: Picture,
    text: str,
    middle: tuple[float, float],
    face: ImageFont.FreeTypeFont,
    *,
    colour: Colour = WHITE,
    outline: int = 0,
    anchor: str = "mm",
) -> Picture:
    """`text` drawn over `picture`, with a black outline of so many pixels."""
    image = Image.fromarray(picture)
    ImageDraw.Draw(image).multiline_text(
        middle,
        text,
        fill=colour,
        font=face,
        anchor=anchor,
        align="center" if anchor[0] == "m" else "left",
        stroke_width=outline,
        stroke_fill=BLACK,
    )
    return np.asarray(image)


def encode(path: Path, pictures: Iterable[Picture], fps: int, crf: int = 24) -> None:
    """H.264 as cameras and sites make it."""
    with av.open(str(path), "w") as file:
        stream: Any = None
        for picture in pictures:
            if stream is None:
                stream = file.add_stream("libx264", rate=fps)
                stream.height, stream.width = picture.shape[:2]
                stream.pix_fmt = "yuv420p"
                stream.options = {"crf": str(crf), "preset": "veryfast", "threads": "1"}
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        file.mux(stream.encode(None))


def film(
    path: Path,
    cues: Sequence[Cue],
    seconds: float,
    *,
    seed: int = 0,
    height: int = 720,
    width: int = 1280,
    fps: int = 24,
    top: bool = False,
    colour: Colour = WHITE,
    chinese: bool = False,
    size: int = 40,
    speed: float = 120,
    logo: str = "",
    brightness: float = 150,
) -> None:
    """Subtitles over scenery that slides by, with a cut every four seconds."""
    views = [
        scenery(seed + one, height + 80, width + int(speed * 5) + 80, brightness)
        for one in range(2)
    ]

    def pictures() -> Iterable[Picture]:
        for number in range(round(seconds * fps)):
            t = number / fps
            shot, inside = int(t // 4), t % 4
            picture = slid(views[shot % 2], height, width, speed * inside + 8, 20 + 8 * np.sin(t))
            if logo:
                picture = write(picture, logo, (width - 50, 40), font(26, bold=True), outline=1)
            for cue in cues:
                if cue.t0 <= t < cue.t1:
                    rows = cue.text.count("\n") + 1
                    y = 30 + rows * size * 0.6 if top else height - 36 - rows * size * 0.6
                    face = font(size, chinese=chinese)
                    picture = write(
                        picture, cue.text, (width / 2, y), face, colour=colour, outline=2
                    )
            yield picture

    encode(path, pictures(), fps)


def drawn(path: Path, draw: Callable[[float], Picture], seconds: float, fps: int = 25) -> None:
    """A video of whatever `draw` shows at a time."""
    encode(path, (draw(number / fps) for number in range(round(seconds * fps))), fps)


def two_lines(path: Path, text: str, seconds: float = 1.5, fps: int = 8) -> None:
    """A picture with two lines of text, the second there for the latter half."""
    frames = []
    for number in range(int(seconds * fps)):
        picture = Image.new("RGB", (640, 360), (235, 235, 235))
        draw = ImageDraw.Draw(picture)
        draw.text((60, 80), text, (20, 20, 20), font=font(36))
        if number >= seconds * fps / 2:
            draw.text((60, 200), text[::-1], (20, 20, 20), font=font(36))
        frames.append(np.asarray(picture))
    encode(path, frames, fps)
