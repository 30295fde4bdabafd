"""The frozen references: their bytes, their order, and that they learn."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import nn

from zhufeng.models import DecoderConfig
from zhufeng.models.reference import REFERENCES, ImageData, TextData, load_reference
from zhufeng.models.reference import _images as images
from zhufeng.models.reference import _shapes as shapes
from zhufeng.models.reference import _text as text
from zhufeng.models.reference._reference import _Sequences
from zhufeng.models.reference._settings import CLASSES, COLOUR, GRAY

# As docs/references.md tells them.
PARAMETERS = {
    "gpt-gelu-small": 164_800,
    "gpt-gelu-base": 821_632,
    "gpt-relu2-small": 164_800,
    "gpt-relu2-base": 821_632,
    "cnn-small": 78_692,
    "cnn-base": 309_940,
    "mlp-small": 136_724,
    "mlp-base": 2_382_868,
}
TEXT = cast("TextData", REFERENCES["gpt-gelu-small"].data)
IMAGES = pytest.mark.parametrize("data", [COLOUR, GRAY], ids=["colour", "gray"])


def parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def test_the_names() -> None:
    assert set(REFERENCES) == set(PARAMETERS)


@pytest.mark.parametrize("name", REFERENCES)
def test_parameters_and_tokens(name: str) -> None:
    reference = load_reference(name)
    settings = reference.settings
    count = parameters(reference.build(0))
    assert count == PARAMETERS[name]
    if settings.sequence:
        assert settings.steps * settings.batch * settings.sequence >= 20 * count
    assert settings.warmup < settings.steps


@pytest.mark.parametrize("name", REFERENCES)
def test_a_batch_is_a_function_of_seed_and_step(name: str) -> None:
    reference = load_reference(name)
    first, again, other = (reference.data(seed) for seed in (3, 3, 4))
    last = [first.batch(step, 5) for step in (0, 7, 2)]
    for step, (inputs, targets) in zip((2, 7, 0), reversed(last), strict=True):
        same = again.batch(step, 5)
        assert torch.equal(inputs, same[0])
        assert torch.equal(targets, same[1])
        assert not torch.equal(inputs, other.batch(step, 5)[0])
    assert not torch.equal(last[0][0], last[1][0])


@pytest.mark.parametrize("name", ["gpt-relu2-base", "cnn-base", "mlp-small"])
def test_the_held_out_set_is_the_same_for_every_seed(name: str) -> None:
    reference = load_reference(name)
    one, other = (reference.data(seed).held_out() for seed in (0, 1))
    count = 0
    for (inputs, targets), (inputs_again, targets_again) in zip(one, other, strict=True):
        assert torch.equal(inputs, inputs_again)
        assert torch.equal(targets, targets_again)
        count += len(inputs)
    assert count == reference.settings.held_out


@pytest.mark.parametrize("name", ["gpt-gelu-small", "cnn-small", "mlp-base"])
def test_initial_weights_repeat_by_seed(name: str) -> None:
    reference = load_reference(name)
    one, again, other = (reference.build(seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(one[key], again[key]) for key in one)
    assert not all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize(
    ("name", "steps", "rate"),
    [("gpt-gelu-small", 8, 8e-3), ("cnn-small", 12, 8e-3), ("mlp-small", 20, 4e-3)],
)
def test_a_short_training_lowers_the_loss(name: str, steps: int, rate: float) -> None:
    reference = load_reference(name)
    data, model = reference.data(0), reference.build(0)
    optimizer = torch.optim.AdamW(model.parameters(), rate)
    losses = []
    for step in range(steps):
        with torch.autocast("cpu", torch.bfloat16):
            loss = model(*data.batch(step % 2, 8)).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert max(losses[-2:]) < min(losses[:2]) - 0.1


def test_the_text_is_the_pinned_one() -> None:
    train, held_out = text.assemble(TEXT)
    assert (text.digest(train), text.digest(held_out)) == (TEXT.train_sha256, TEXT.held_out_sha256)
    assert len(train) > 20_000_000
    assert train.max() == held_out.max() == text.END


def test_no_held_out_file_is_trained_on() -> None:
    train, held_out = (_documents(tokens) for tokens in text.assemble(TEXT))
    assert len(held_out) > 50
    assert not set(held_out) & set(train)
    assert len(set(train)) == len(train)


def _documents(tokens: text.Tokens) -> list[bytes]:
    ends = np.flatnonzero(tokens == text.END)
    begins = [0, *(ends[:-1] + 1)]
    whole = tokens.astype(np.uint8)
    return [whole[a:b].tobytes() for a, b in zip(begins, ends, strict=True)]


@pytest.mark.parametrize("name", ["gpt-gelu-small", "gpt-gelu-base"])
def test_no_token_is_trained_on_twice(name: str) -> None:
    settings = REFERENCES[name]
    train, held_out = text.assemble(TEXT)
    assert settings.sequence is not None
    tokens = settings.steps * settings.batch * settings.sequence
    assert tokens < len(train) - settings.sequence
    assert settings.held_out * settings.sequence < len(held_out)


def test_an_epoch_shows_every_window_once() -> None:
    data = _Sequences(TEXT, 1024, 0)
    first = [data._window(i) for i in range(data.windows)]
    assert sorted(first) == list(range(data.windows))
    assert [data._window(data.windows + i) for i in range(50)] != first[:50]


def test_targets_follow_their_inputs() -> None:
    data = load_reference("gpt-gelu-small").data(0)
    for inputs, targets in (data.batch(0, 3), next(data.held_out())):
        assert inputs.shape == targets.shape
        assert torch.equal(inputs[:, 1:], targets[:, :-1])
    assert load_reference("gpt-gelu-small").bytes_per_target == 1.0
    assert load_reference("mlp-small").bytes_per_target is None


@IMAGES
def test_images_are_the_pinned_ones(data: ImageData) -> None:
    assert images.digest(*images.draw(data, 64, 0, "train", 0)) == data.train_sha256
    assert images.digest(*images.draw(data, 2048, 0, "held out")) == data.held_out_sha256


@IMAGES
def test_no_held_out_image_is_trained_on(data: ImageData) -> None:
    held_out = {image.tobytes() for image in images.draw(data, 2048, 0, "held out")[0]}
    assert len(held_out) == 2048
    for step in range(5):
        drawn, _ = images.draw(data, 64, 0, "train", step)
        assert not held_out & {image.tobytes() for image in drawn}


@IMAGES
def test_classes_are_alike_in_number(data: ImageData) -> None:
    drawn, classes = images.draw(data, 2048, 0, "held out")
    counts = np.bincount(classes, minlength=CLASSES)
    assert counts.min() > 60
    assert counts.max() < 150
    assert drawn.shape == (2048, data.channels, data.size, data.size)
    assert drawn.std() > 30


def test_every_shape_is_another() -> None:
    grid = np.linspace(-1.2, 1.2, 64, dtype=np.float32)
    u, v = np.meshgrid(grid, grid)
    masks = {shape(u, v).tobytes() for shape in shapes.SHAPES}
    assert len(masks) == len(shapes.SHAPES) == CLASSES


def test_images_use_exactly_rounded_operations_alone() -> None:
    """Functions that machines may round differently (sin, exp, sums of many) have no place."""
    exact = {
        "abs", "arange", "argsort", "clip", "copyto", "empty", "flatnonzero", "float32", "floor",
        "int64", "bool_", "maximum", "minimum", "sqrt", "stack", "uint8", "uint64", "where",
    }  # fmt: skip
    for module in (images, shapes):
        used = set(_numpy_names(inspect.getsource(module)))
        assert used <= exact, used - exact


def _numpy_names(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "np":
            yield node.attr
        # Powers, and methods that add many numbers up.
        assert not isinstance(node, ast.Pow | ast.MatMult)
        assert getattr(node, "attr", "") not in {"sum", "mean", "std", "dot"}


@IMAGES
def test_images_are_computed_in_fp32(data: ImageData, monkeypatch: pytest.MonkeyPatch) -> None:
    """An operand of another type would promote, and cost time."""
    types = []
    clip: Any = np.clip

    def watched(values: Any, *bounds: float) -> Any:
        types.append(values.dtype)
        return clip(values, *bounds)

    monkeypatch.setattr(np, "clip", watched)
    images.draw(data, 4, 0, "types")
    assert set(types) == {np.dtype(np.float32)}


def test_the_models_are_decoders_and_classifiers() -> None:
    for name, settings in REFERENCES.items():
        assert isinstance(settings.model, DecoderConfig) is name.startswith("gpt")
        out = load_reference(name).build(0).eval()(*load_reference(name).data(0).batch(0, 2))
        assert out.loss.dim() == 0
        assert out.logits.shape[-1] == (257 if settings.sequence else CLASSES)
