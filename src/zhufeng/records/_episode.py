"""`Episode`: a robot's trajectory; a folder of them is a LeRobotDataset of version 3.0.

The layout is that of ``lerobot/datasets`` (Hugging Face LeRobot, codebase version v3.0):

    meta/info.json                          features, counts, path templates
    meta/tasks.parquet                      task (the frame's index) -> task_index
    meta/stats.json                         min, max, mean, std, count of each feature
    meta/episodes/chunk-000/file-000.parquet  a row an episode: length, tasks, where its data lies
    data/chunk-000/file-000.parquet         a row a frame
    videos/KEY/chunk-000/file-000.mp4       pictures of many episodes, cut by time stamps
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zhufeng.base import InputError, read_json, shown, write_durable

if TYPE_CHECKING:
    import pyarrow as pa

VERSION = "v3.0"
_DATA = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
_EPISODES = "meta/episodes/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
_VIDEO = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
_FRAME_COLUMNS = {
    "timestamp": "float32",
    "frame_index": "int64",
    "episode_index": "int64",
    "index": "int64",
    "task_index": "int64",
}
_FILES_A_CHUNK = 1000
_DATA_FILE_MB, _VIDEO_FILE_MB = 100, 200
_DTYPES = frozenset({"float32", "float64", "int32", "int64", "uint8", "bool"})


@dataclass(frozen=True)
class Clip:
    """One episode's stretch of a video file."""

    path: str
    """Below the dataset's folder."""
    from_s: float
    to_s: float
    height: int
    width: int


@dataclass(frozen=True, eq=False)
class Episode:
    """One trajectory. Time is ``frame / fps`` from the episode's start."""

    task: str
    """What the robot was asked to do, in words."""
    fps: int
    features: Mapping[str, NDArray[Any]]
    """Name (``"observation.state"``, ``"action"``) to array [frames, dimension]."""
    videos: Mapping[str, Clip] = field(default_factory=dict)
    """Camera (``"observation.images.front"``) to its clip."""

    def __post_init__(self) -> None:
        lengths = {array.shape[0] for array in self.features.values() if array.ndim == 2}  # noqa: PLR2004
        if len(lengths) != 1 or any(array.ndim != 2 for array in self.features.values()):  # noqa: PLR2004
            raise ValueError("features must be arrays [frames, dimension] of one length")
        for name, array in self.features.items():
            if "/" in name or name in _FRAME_COLUMNS:
                raise ValueError(f"the feature name {name!r} is taken, or holds a '/'")
            if array.dtype.name not in _DTYPES:
                raise ValueError(f"{name} is {array.dtype}; one of {sorted(_DTYPES)} is needed")

    def __len__(self) -> int:
        return int(next(iter(self.features.values())).shape[0])


def write_episodes(
    folder: Path,
    episodes: Sequence[Episode],
    *,
    robot: str | None = None,
    names: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """Write a LeRobotDataset v3.0 into `folder`.

    Args:
        folder: where; the video files that clips name must lie below it already.
        episodes: all with the same features and rate; one data file each 100 MB.
        robot: its type, as LeRobot names it.
        names: names of each feature's dimensions.

    Raises:
        ValueError: none is given, or they differ in features or rate.
    """
    if not episodes:
        raise ValueError("a dataset needs at least one episode")
    shapes = [_shape(episode) for episode in episodes]
    if any(shape != shapes[0] for shape in shapes):
        raise ValueError("all episodes of a dataset need the same features, cameras and rate")
    tasks = sorted({episode.task for episode in episodes})
    placed = _write_frames(folder, episodes, tasks)
    _write_parquet(folder / "meta/tasks.parquet", _task_table(tasks))
    rows = [
        {**row, **{f"stats/{name}/{stat}": value for name, stat, value in _statistics([episode])}}
        for row, episode in zip(placed, episodes, strict=True)
    ]
    _write_parquet(folder / _EPISODES.format(chunk_index=0, file_index=0), _table(rows))
    stats: dict[str, dict[str, list[float]]] = {}
    for name, stat, value in _statistics(episodes):
        stats.setdefault(name, {})[stat] = value
    _write_json(folder / "meta/stats.json", stats)
    _write_json(folder / "meta/info.json", _info(episodes, len(tasks), robot, names or {}))


def read_episodes(folder: Path) -> Iterator[Episode]:
    """The episodes of a LeRobotDataset v3.x, in order.

    Raises:
        InputError: it is missing, damaged, of another version, or holds features of more than
            one dimension a frame.
    """
    import pyarrow as pa  # noqa: PLC0415 (slow to import)

    info = _checked_info(folder)
    try:
        tasks = _tasks(folder)
        rows = [row for file in _sorted_files(folder / "meta/episodes") for row in _rows(file)]
        for row in sorted(rows, key=lambda row: int(row["episode_index"])):
            yield _episode(folder, info, tasks, row)
    except (OSError, pa.ArrowException, KeyError, ValueError, TypeError, IndexError) as error:
        raise InputError(
            f"{folder} cannot be read",
            expected=f"a LeRobotDataset {VERSION}",
            came=shown(f"{type(error).__name__}: {error}"),
            do="restore the folder from a copy",
        ) from None


def _shape(episode: Episode) -> tuple[Any, ...]:
    features = {name: (a.shape[1:], a.dtype.name) for name, a in episode.features.items()}
    return episode.fps, features, sorted(episode.videos)


def _write_frames(
    folder: Path, episodes: Sequence[Episode], tasks: list[str]
) -> list[dict[str, Any]]:
    """Write the data files; return each episode's row of ``meta/episodes``."""
    import pyarrow as pa  # noqa: PLC0415 (slow to import)

    rows: list[dict[str, Any]] = []
    pending: list[pa.Table] = []
    pending_bytes, file_number, first = 0, 0, 0

    def flush() -> None:
        path = folder / _DATA.format(**_numbers(file_number))
        _write_parquet(path, pa.concat_tables(pending))

    for number, episode in enumerate(episodes):
        table = _frames(episode, number, first, tasks.index(episode.task))
        if pending and pending_bytes + table.nbytes > _DATA_FILE_MB << 20:
            flush()
            pending, pending_bytes, file_number = [], 0, file_number + 1
        pending.append(table)
        pending_bytes += table.nbytes
        rows.append(_episode_row(episode, number, first, file_number))
        first += len(episode)
    flush()
    return rows


def _numbers(file_number: int) -> dict[str, int]:
    chunk, file = divmod(file_number, _FILES_A_CHUNK)
    return {"chunk_index": chunk, "file_index": file}


def _episode_row(episode: Episode, number: int, first: int, file_number: int) -> dict[str, Any]:
    place = _numbers(file_number)
    row: dict[str, Any] = {
        "episode_index": number,
        "tasks": [episode.task],
        "length": len(episode),
        "data/chunk_index": place["chunk_index"],
        "data/file_index": place["file_index"],
        "dataset_from_index": first,
        "dataset_to_index": first + len(episode),
        "meta/episodes/chunk_index": 0,
        "meta/episodes/file_index": 0,
    }
    for key, clip in episode.videos.items():
        chunk, file = _video_numbers(key, clip.path)
        row |= {
            f"videos/{key}/chunk_index": chunk,
            f"videos/{key}/file_index": file,
            f"videos/{key}/from_timestamp": clip.from_s,
            f"videos/{key}/to_timestamp": clip.to_s,
        }
    return row


def _video_numbers(key: str, path: str) -> tuple[int, int]:
    *_, chunk, file = path.split("/")
    numbers = int(chunk.removeprefix("chunk-")), int(file.removeprefix("file-").partition(".")[0])
    if path != _VIDEO.format(video_key=key, chunk_index=numbers[0], file_index=numbers[1]):
        raise ValueError(f"the clip of {key} lies at {path!r}; LeRobot wants {_VIDEO!r}")
    return numbers


def _frames(episode: Episode, number: int, first: int, task: int) -> pa.Table:
    import pyarrow as pa  # noqa: PLC0415 (slow to import)

    frames = np.arange(len(episode), dtype=np.int64)
    columns = {name: _column(array) for name, array in episode.features.items()}
    columns |= {
        "timestamp": pa.array((frames / episode.fps).astype(np.float32)),
        "frame_index": pa.array(frames),
        "episode_index": pa.array(np.full_like(frames, number)),
        "index": pa.array(frames + first),
        "task_index": pa.array(np.full_like(frames, task)),
    }
    return pa.table(columns)


def _column(array: NDArray[Any]) -> pa.Array:
    """LeRobot stores one dimension as a scalar and more as a list of fixed length."""
    import pyarrow as pa  # noqa: PLC0415 (slow to import)

    flat = pa.array(np.ascontiguousarray(array).reshape(-1))
    dimension = array.shape[1]
    return flat if dimension == 1 else pa.FixedSizeListArray.from_arrays(flat, dimension)


def _statistics(episodes: Sequence[Episode]) -> Iterator[tuple[str, str, list[float]]]:
    for name in episodes[0].features:
        values = np.concatenate([e.features[name] for e in episodes]).astype(np.float64)
        yield name, "min", values.min(axis=0).tolist()
        yield name, "max", values.max(axis=0).tolist()
        yield name, "mean", values.mean(axis=0).tolist()
        yield name, "std", values.std(axis=0).tolist()
        yield name, "count", [len(values)]


def _info(
    episodes: Sequence[Episode],
    tasks: int,
    robot: str | None,
    names: Mapping[str, Sequence[str]],
) -> dict[str, Any]:
    features: dict[str, Any] = {
        name: {
            "dtype": array.dtype.name,
            "shape": [array.shape[1]],
            "names": list(names[name]) if name in names else None,
        }
        for name, array in episodes[0].features.items()
    }
    features |= {
        key: {
            "dtype": "video",
            "shape": [clip.height, clip.width, 3],
            "names": ["height", "width", "channels"],
        }
        for key, clip in episodes[0].videos.items()
    }
    features |= {
        name: {"dtype": dtype, "shape": [1], "names": None}
        for name, dtype in _FRAME_COLUMNS.items()
    }
    return {
        "codebase_version": VERSION,
        "robot_type": robot,
        "total_episodes": len(episodes),
        "total_frames": sum(map(len, episodes)),
        "total_tasks": tasks,
        "chunks_size": _FILES_A_CHUNK,
        "data_files_size_in_mb": _DATA_FILE_MB,
        "video_files_size_in_mb": _VIDEO_FILE_MB,
        "fps": episodes[0].fps,
        "splits": {"train": f"0:{len(episodes)}"},
        "data_path": _DATA,
        "video_path": _VIDEO if episodes[0].videos else None,
        "features": features,
    }


def _checked_info(folder: Path) -> dict[str, Any]:
    path = folder / "meta/info.json"
    info = read_json(path)
    version = info.get("codebase_version") if isinstance(info, dict) else None
    if not isinstance(version, str) or not version.startswith("v3."):
        raise InputError(
            f"{path} is not of a version that can be read",
            expected=f"a LeRobotDataset {VERSION}",
            came=f"codebase_version {shown(repr(version))}",
            do="convert it with LeRobot's own converter to v3.0"
            if isinstance(version, str) and version < "v3"
            else "check the path, or upgrade: pip install -U zhufeng",
        )
    return dict(info)


def _episode(
    folder: Path, info: dict[str, Any], tasks: dict[int, str], row: dict[str, Any]
) -> Episode:
    import pyarrow.parquet as pq  # noqa: PLC0415 (slow to import)

    path = folder / str(info["data_path"]).format(
        chunk_index=row["data/chunk_index"], file_index=row["data/file_index"]
    )
    number = int(row["episode_index"])
    table = pq.read_table(path, filters=[("episode_index", "==", number)])
    if len(table) != row["length"]:
        raise ValueError(f"episode {number} has {len(table)} frames of {row['length']}")
    features, videos = {}, {}
    for name, feature in info["features"].items():
        if feature["dtype"] == "video":
            videos[name] = Clip(
                str(info["video_path"]).format(
                    video_key=name,
                    chunk_index=row[f"videos/{name}/chunk_index"],
                    file_index=row[f"videos/{name}/file_index"],
                ),
                float(row[f"videos/{name}/from_timestamp"]),
                float(row[f"videos/{name}/to_timestamp"]),
                *_picture_size(feature),
            )
        elif name not in _FRAME_COLUMNS and feature["dtype"] in _DTYPES:
            values = np.asarray(table[name].to_pylist(), dtype=feature["dtype"])
            features[name] = values.reshape(len(table), *feature["shape"])
    task = tasks[int(table["task_index"][0].as_py())]
    return Episode(task, int(info["fps"]), features, videos)


def _picture_size(feature: dict[str, Any]) -> tuple[int, int]:
    """Height and width; datasets name the order of a picture's axes, and it varies."""
    names, shape = feature.get("names") or ["height", "width", "channels"], feature["shape"]
    first = "".join(str(name)[0] for name in names)
    return int(shape[first.index("h")]), int(shape[first.index("w")])


def _tasks(folder: Path) -> dict[int, str]:
    rows = _rows(folder / "meta/tasks.parquet")
    return {
        int(row["task_index"]): str(row.get("task", row.get("__index_level_0__"))) for row in rows
    }


def _rows(path: Path) -> list[dict[str, Any]]:
    import pyarrow.parquet as pq  # noqa: PLC0415 (slow to import)

    columns = [name for name in pq.read_schema(path).names if not name.startswith("stats/")]
    rows: list[dict[str, Any]] = pq.read_table(path, columns=columns).to_pylist()
    return rows


def _task_table(tasks: list[str]) -> pa.Table:
    """Tasks as pandas would store them: the text is the frame's index."""
    import pyarrow as pa  # noqa: PLC0415 (slow to import)

    kinds = {"task_index": ("int64", "int64"), "task": ("unicode", "object")}
    columns = [
        {"name": n, "field_name": n, "pandas_type": p, "numpy_type": y, "metadata": None}
        for n, (p, y) in kinds.items()
    ]
    index = {"index_columns": ["task"], "columns": columns, "column_indexes": []}
    table = pa.table({"task_index": pa.array(range(len(tasks)), pa.int64()), "task": tasks})
    return table.replace_schema_metadata({"pandas": json.dumps(index)})


def _table(rows: list[dict[str, Any]]) -> pa.Table:
    import pyarrow as pa  # noqa: PLC0415 (slow to import)

    return pa.Table.from_pylist(rows)


def _sorted_files(folder: Path) -> Iterable[Path]:
    return sorted(folder.glob("chunk-*/file-*.parquet"))


def _write_parquet(path: Path, table: pa.Table) -> None:
    import pyarrow as pa  # noqa: PLC0415 (slow to import)
    import pyarrow.parquet as pq  # noqa: PLC0415

    path.parent.mkdir(parents=True, exist_ok=True)
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="snappy", use_dictionary=True)
    write_durable(path, sink.getvalue().to_pybytes())


def _write_json(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_durable(path, json.dumps(value, indent=4, ensure_ascii=False).encode() + b"\n")
