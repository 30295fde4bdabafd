"""Episodes as LeRobotDataset v3.0, read by Hugging Face datasets and by pandas."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from zhufeng.base import InputError
from zhufeng.records import Clip, Episode, read_episodes, write_episodes

CAMERA = "observation.images.front"


def episodes(count: int = 3, *, camera: bool = True) -> list[Episode]:
    random = np.random.default_rng(0)
    made = []
    for number in range(count):
        frames = 5 + number
        videos = {}
        if camera:
            path = f"videos/{CAMERA}/chunk-000/file-000.mp4"
            videos[CAMERA] = Clip(path, number * 1.0, number + frames / 10, 48, 64)
        made.append(
            Episode(
                task=["dock", "grasp"][number % 2],
                fps=10,
                features={
                    "observation.state": random.standard_normal((frames, 6)).astype(np.float32),
                    "action": random.standard_normal((frames, 3)).astype(np.float32),
                    "next.reward": random.standard_normal((frames, 1)).astype(np.float32),
                    "next.done": np.arange(frames)[:, None] == frames - 1,
                },
                videos=videos,
            )
        )
    return made


def same(left: Episode, right: Episode) -> bool:
    return (
        (left.task, left.fps, left.videos) == (right.task, right.fps, right.videos)
        and left.features.keys() == right.features.keys()
        and all(
            left.features[name].dtype == array.dtype and np.array_equal(left.features[name], array)
            for name, array in right.features.items()
        )
    )


def test_what_is_written_reads_back(tmp_path: Path) -> None:
    written = episodes()
    write_episodes(tmp_path, written, robot="free-flyer")
    read = list(read_episodes(tmp_path))
    assert len(read) == 3
    assert all(map(same, written, read))


def test_hugging_face_datasets_read_it_with_lerobots_features(tmp_path: Path) -> None:
    """LeRobot loads the data files with these feature types; a wrong column fails the cast."""
    datasets = pytest.importorskip("datasets")
    written = episodes()
    write_episodes(tmp_path, written)
    scalar, vector = datasets.Value, datasets.Sequence
    features = datasets.Features(
        {
            "observation.state": vector(length=6, feature=scalar("float32")),
            "action": vector(length=3, feature=scalar("float32")),
            "next.reward": scalar("float32"),
            "next.done": scalar("bool"),
            "timestamp": scalar("float32"),
            "frame_index": scalar("int64"),
            "episode_index": scalar("int64"),
            "index": scalar("int64"),
            "task_index": scalar("int64"),
        }
    )
    paths = [str(path) for path in sorted((tmp_path / "data").glob("*/*.parquet"))]
    read = datasets.Dataset.from_parquet(paths, features=features, cache_dir=str(tmp_path / "hf"))
    state = np.concatenate([episode.features["observation.state"] for episode in written])
    assert np.array_equal(np.asarray(read["observation.state"], np.float32), state)
    assert read["index"] == list(range(5 + 6 + 7))
    assert np.allclose(read["timestamp"][:5], np.arange(5) / 10)


def test_pandas_reads_the_tasks_as_lerobot_does(tmp_path: Path) -> None:
    write_episodes(tmp_path, episodes())
    tasks = pd.read_parquet(tmp_path / "meta/tasks.parquet")
    assert tasks.index.name == "task"
    assert dict(tasks["task_index"]) == {"dock": 0, "grasp": 1}
    rows = pd.read_parquet(tmp_path / "meta/episodes/chunk-000/file-000.parquet")
    assert list(rows["length"]) == [5, 6, 7]
    assert list(rows["dataset_to_index"]) == [5, 11, 18]
    assert list(rows[f"videos/{CAMERA}/from_timestamp"]) == [0.0, 1.0, 2.0]


def test_the_info_says_what_lerobot_asks(tmp_path: Path) -> None:
    write_episodes(tmp_path, episodes(), robot="arm", names={"action": ["x", "y", "z"]})
    info = json.loads((tmp_path / "meta/info.json").read_text())
    assert info["codebase_version"] == "v3.0"
    assert (info["total_episodes"], info["total_frames"], info["total_tasks"]) == (3, 18, 2)
    assert info["features"]["action"] == {
        "dtype": "float32",
        "shape": [3],
        "names": ["x", "y", "z"],
    }
    assert info["features"][CAMERA]["shape"] == [48, 64, 3]
    assert (
        info["data_path"].format(chunk_index=0, file_index=0) == "data/chunk-000/file-000.parquet"
    )


def test_statistics_are_numpys(tmp_path: Path) -> None:
    written = episodes()
    write_episodes(tmp_path, written)
    stats = json.loads((tmp_path / "meta/stats.json").read_text())["action"]
    values = np.concatenate([episode.features["action"] for episode in written])
    assert np.allclose(stats["mean"], values.mean(axis=0))
    assert np.allclose(stats["std"], values.std(axis=0))
    assert stats["count"] == [18]


def test_large_data_is_divided_into_files_of_100_mb(tmp_path: Path) -> None:
    big = [
        Episode("t", 30, {"observation.state": np.full((700_000, 8), n, np.float64)})
        for n in range(4)
    ]
    write_episodes(tmp_path, big)
    assert len(list((tmp_path / "data").glob("*/*.parquet"))) == 4
    read = list(read_episodes(tmp_path))
    assert [float(episode.features["observation.state"][0, 0]) for episode in read] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features": {}}, "one length"),
        ({"features": {"a": np.zeros(3)}}, "one length"),
        ({"features": {"a": np.zeros((3, 1)), "b": np.zeros((4, 1))}}, "one length"),
        ({"features": {"index": np.zeros((3, 1))}}, "is taken"),
        ({"features": {"a/b": np.zeros((3, 1))}}, "is taken"),
        ({"features": {"a": np.zeros((3, 1), np.complex64)}}, "complex64"),
    ],
)
def test_an_impossible_episode_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Episode(**{"task": "t", "fps": 10, **change})  # type: ignore[arg-type]


def test_an_older_version_and_damage_are_refused(tmp_path: Path) -> None:
    write_episodes(tmp_path, episodes())
    path = tmp_path / "meta/info.json"
    info = path.read_text()
    path.write_text(info.replace("v3.0", "v2.1"))
    with pytest.raises(InputError, match="convert it with LeRobot's own converter"):
        list(read_episodes(tmp_path))
    path.write_text(info)
    (tmp_path / "data/chunk-000/file-000.parquet").write_bytes(b"torn")
    with pytest.raises(InputError, match="cannot be read"):
        list(read_episodes(tmp_path))
