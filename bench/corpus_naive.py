"""The pipeline that `corpus.py` compares with: each tool in its default setting, one thread.

    python bench/corpus_naive.py VIDEO MODEL [EVERY]

Every frame is decoded and made RGB, two frames a second are read by RapidOCR (every EVERY-th of
them), the whole sound goes through faster-whisper with beam 5 and word times. Prints one JSON
object: the lines read, equal lines in a row as one; the stretches of speech; CPU seconds by step
and of loading the models; how many frames were to be read and how many were.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import av
import cv2
import faster_whisper
import numpy as np
from numpy.typing import NDArray
from rapidocr import RapidOCR

READ_PER_S = 2


@dataclass
class Cost:
    """CPU seconds by step."""

    cpu_s: dict[str, float] = field(default_factory=dict)
    _since: float = field(default_factory=time.process_time)

    def add(self, step: str) -> None:
        """What was spent since the last call."""
        now = time.process_time()
        self.cpu_s[step] = self.cpu_s.get(step, 0.0) + now - self._since
        self._since = now


def frames(path: str, cost: Cost) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    """Two RGB pictures a second with their times; all are decoded and converted."""
    with av.open(path) as container:
        stream = container.streams.video[0]
        stream.thread_count = 1
        due = 0.0
        for frame in container.decode(stream):
            picture = np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
            t = float(frame.time or 0.0)
            if t >= due:
                due += 1 / READ_PER_S
                cost.add("decode")
                yield t, picture
        cost.add("decode")


def read(path: str, reader: RapidOCR, every: int, cost: Cost) -> dict[str, Any]:
    """The lines on the screen; one that is read in the same words again is the same line."""
    lines: list[dict[str, Any]] = []
    standing: dict[str, dict[str, Any]] = {}
    total, times = 0, []
    for number, (t, picture) in enumerate(frames(path, cost)):
        total += 1
        if number % every:
            continue
        times.append(t)
        found: Any = reader(picture[:, :, ::-1])
        now: dict[str, dict[str, Any]] = {}
        for text, conf in zip(found.txts or (), found.scores or (), strict=True):
            line = standing.get(text) or {"t0": t, "text": text, "conf": conf}
            if text not in standing:
                lines.append(line)
            line["t1"] = t + every / READ_PER_S
            now[text] = line
        standing = now
        cost.add("read")
    return {"lines": lines, "frames": total, "read_at": times}


def listen(path: str, model: faster_whisper.WhisperModel) -> list[dict[str, Any]]:
    """The speech of the whole file."""
    segments, _ = model.transcribe(path, word_timestamps=True)
    return [{"t0": one.start, "t1": one.end, "text": one.text.strip()} for one in segments]


def main(arguments: Sequence[str]) -> int:
    """Run it on one file."""
    path, model_path, every = (*arguments, "1")[:3]
    cv2.setNumThreads(1)
    cost = Cost()
    threads = {f"EngineConfig.onnxruntime.{kind}_op_num_threads": 1 for kind in ("intra", "inter")}
    reader = RapidOCR(params={"Global.log_level": "error", **threads})
    model = faster_whisper.WhisperModel(model_path, compute_type="int8", cpu_threads=1)
    cost.add("load")
    seen = read(path, reader, int(every), cost)
    spoken = listen(path, model)
    cost.add("speech")
    json.dump({**seen, "speech": spoken, "cpu_s": cost.cpu_s}, sys.stdout, ensure_ascii=False)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
