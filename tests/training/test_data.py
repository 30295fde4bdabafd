"""Data: every window once an epoch, any step at once, exact counts of bytes."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.training.tasks import END, TINY, configured, english, token_task, write_shards
from zhufeng.base import InputError
from zhufeng.models import IGNORED
from zhufeng.models.reference import load_reference
from zhufeng.records import TokenSet, read_shard, write_token_set
from zhufeng.training import (
    ReferenceTask,
    TokenStream,
    TokenTask,
    TrainConfig,
    WindowOrder,
    open_task,
)


@settings(max_examples=30, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 9), min_size=1, max_size=6),
    cut=st.tuples(st.integers(0, 60), st.integers(0, 20)),
)
def test_the_stream_is_the_shards_one_after_another(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int], cut: tuple[int, int]
) -> None:
    folder = tmp_path_factory.mktemp("shards")
    documents = [bytes(range(10 * i, 10 * i + length)) for i, length in enumerate(lengths)]
    write_shards(folder, *documents)
    shards = [read_shard(path.with_suffix("")) for path in sorted(folder.glob("*.idx"))]
    whole = np.concatenate([shard.flat for shard in shards])
    stream = TokenStream(shards)
    begin, end = cut[0], sum(cut)
    assert len(stream) == len(whole)
    assert stream.read(begin, end).tolist() == whole[begin:end].tolist()


def test_every_window_is_learned_once_an_epoch() -> None:
    order = WindowOrder(37, seed=3)
    epochs = [[order.at(37 * epoch + i) for i in range(37)] for epoch in range(3)]
    assert all(sorted(epoch) == list(range(37)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]
    assert [WindowOrder(37, seed=3).at(i) for i in range(37)] == epochs[0]
    assert [WindowOrder(37, seed=4).at(i) for i in range(37)] != epochs[0]


def test_every_token_is_a_target_once_an_epoch(tmp_path: Path) -> None:
    config = configured(sequence=7, batch=3, held_out=0.0)
    task, _ = token_task(tmp_path / "shards", config)
    whole = [token for document in english() for token in (*document, END)]
    windows = (len(whole) - 1) // 7
    seen: Counter[int] = Counter()
    for step in range(windows // 3):
        inputs, targets = task.batch(step, 0)
        assert inputs[:, 1:].tolist() == targets[:, :-1].tolist()
        seen.update(targets.flatten().tolist())
    learned = Counter(whole[1 : 7 * windows + 1])
    left = learned - seen
    assert not seen - learned
    assert left.total() == 7 * (windows % 3)


def test_a_batch_is_the_same_in_whatever_order_it_is_asked(tmp_path: Path) -> None:
    config = configured(batch=6, micro_batches=3)
    task, _ = token_task(tmp_path / "shards", config)
    places = [(step, micro) for step in range(300) for micro in range(3)]
    forwards = {place: task.batch(*place) for place in places}
    for place in [*reversed(places)][::7]:
        for one, other in zip(task.batch(*place), forwards[place], strict=True):
            assert torch.equal(one, other)


def test_micro_batches_are_parts_of_the_batch(tmp_path: Path) -> None:
    whole, _ = token_task(tmp_path / "shards", configured(batch=6))
    parts, _ = token_task(tmp_path / "shards", configured(batch=6, micro_batches=3))
    for step in (0, 5, 1000):
        joined = torch.cat([parts.batch(step, micro)[1] for micro in range(3)])
        assert torch.equal(whole.batch(step, 0)[1], joined)


def test_held_out_tokens_are_the_streams_end_and_never_learned(tmp_path: Path) -> None:
    config = configured(sequence=16, held_out=0.1)
    task, _ = token_task(tmp_path / "shards", config)
    whole = [token for document in english() for token in (*document, END)]
    held = int(0.1 * len(whole))
    evaluated = [t for _, targets in task.held_out() for t in targets.flatten().tolist()]
    assert [t for t in evaluated if t != IGNORED] == whole[-held + 1 :]
    assert [task.learned, len(task.stream)] == [len(whole) - held, len(whole)]
    assert all((task.batch(step, 0)[0] >= 0).all() for step in range(50))
    last = max(task.order.at(place) for place in range(task.order.windows))
    assert last * 16 + 16 < task.learned


def test_bytes_of_text_are_exact_for_bytes_and_average_for_other_tokens(tmp_path: Path) -> None:
    targets = torch.tensor([[1, 2, END, 3, IGNORED]])
    task, _ = token_task(tmp_path / "shards", configured())
    assert task.text_bytes(targets) == 3
    words = TokenSet(tokenizer="t.json", vocabulary=257, end=END, tokens=1000, text_bytes=3500)
    write_token_set(tmp_path / "shards", words)
    task, _ = token_task(tmp_path / "shards", configured())
    assert task.text_bytes(targets) == 4 * 3.5
    (tmp_path / "shards" / "tokens.json").unlink()
    task, _ = token_task(tmp_path / "shards", configured())
    assert task.text_bytes(targets) is None


def test_token_sets_of_several_folders_add_up(tmp_path: Path) -> None:
    files = [*write_shards(tmp_path / "a", b"x" * 100), *write_shards(tmp_path / "b", b"y" * 300)]
    task, _ = open_task(configured(held_out=0.0), files, 0)
    assert isinstance(task, TokenTask)
    assert task.tokens
    assert (task.tokens.tokens, task.tokens.text_bytes) == (402, 400)
    without = [path for path in files if path != tmp_path / "b" / "tokens.json"]
    task, _ = open_task(configured(held_out=0.0), without, 0)
    assert isinstance(task, TokenTask)
    assert task.tokens is None


def test_a_token_beyond_the_vocabulary_is_told(tmp_path: Path) -> None:
    write_shards(tmp_path / "shards", b"abc" * 20, b"\xff" * 50)
    (tmp_path / "shards" / "tokens.json").unlink()
    small = configured(model=TINY.__class__(**{**vars(TINY), "vocabulary": 200}), held_out=0.0)
    task, _ = token_task(tmp_path / "shards", small)
    with pytest.raises(InputError, match="too small a vocabulary"):
        for step in range(10):
            task.batch(step, 0)


def test_a_reference_is_trained_as_it_is_frozen() -> None:
    reference = load_reference("gpt-gelu-small")
    task, schedule = open_task(TrainConfig(reference="gpt-gelu-small"), [], 3)
    for name in ("steps", "batch", "learning_rate", "warmup", "final_share", "weight_decay"):
        assert getattr(schedule, name) == getattr(reference.settings, name)
    for name in ("beta1", "beta2", "epsilon", "clip"):
        assert getattr(schedule, name) == getattr(reference.settings, name)
    inputs, targets = task.batch(5, 0)
    expected = reference.data(3).batch(5, schedule.batch)
    assert torch.equal(inputs, expected[0])
    assert torch.equal(targets, expected[1])
    assert task.text_bytes(targets) == targets.numel()
    built = dict(task.build().named_parameters())
    for name, parameter in reference.build(3).named_parameters():
        assert torch.equal(parameter, built[name])


def test_fewer_steps_of_a_reference_warm_up_in_proportion() -> None:
    _, schedule = open_task(TrainConfig(reference="mlp-small", steps=40, micro_batches=4), [], 0)
    assert (schedule.steps, schedule.warmup) == (40, 2)
    task = ReferenceTask(load_reference("mlp-small"), schedule, seed=0)
    parts = [task.batch(0, micro)[1] for micro in range(4)]
    assert torch.equal(torch.cat(parts), load_reference("mlp-small").data(0).batch(0, 64)[1])
    assert task.text_bytes(parts[0]) is None


def test_what_a_schedule_holds_follows_from_the_steps() -> None:
    schedule = configured(steps=205, keep=(1.0, 0.0, 0.5)).schedule()
    assert (schedule.evaluate_every, schedule.checkpoint_every) == (20, 20)
    assert schedule.kept_steps == (0, 102, 205)


def test_the_english_is_the_one_that_figures_were_measured_on() -> None:
    digest = hashlib.sha256(b"\0".join(english())).hexdigest()
    assert digest == "1a8a091744d4f2b9dd5293ab0a78bafd1db5991f08802a8243c50ac38ab8ad27"
