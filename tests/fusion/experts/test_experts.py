"""Mixtures of experts put together from dense models: laws, routers, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
import torch
import transformers
from safetensors.torch import load_file

from tests.fusion.mix.tiny import byte_level
from zhufeng.base import InputError
from zhufeng.fusion.experts import Expert, ExpertsRecipe, assemble, read_experts
from zhufeng.fusion.experts import _assemble as module
from zhufeng.fusion.unify import export
from zhufeng.models import Decoder, DecoderConfig, initialise, read_decoder, write_decoder
from zhufeng.models._decoder import Layer

TOKENS = torch.arange(24)[None] * 7 % 250


def dense(folder: Path, seed: int, **switches: Any) -> Path:
    plain = {"layers": 2, "width": 16, "heads": 2, "ff_width": 24, **switches}
    tokenizer = byte_level(["one two three", "un deux trois"])
    model = Decoder(DecoderConfig(**{"vocabulary": tokenizer.get_vocab_size(), **plain}))
    initialise(model, seed)
    for parameter in model.parameters():
        parameter.data *= 8 if parameter.dim() > 1 else 1
    folder.mkdir(parents=True, exist_ok=True)
    write_decoder(folder, model)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def recipe(folders: list[Path], texts: list[str], **more: Any) -> ExpertsRecipe:
    experts = tuple(
        Expert(model=str(folder), texts=(text,))
        for folder, text in zip(folders, texts, strict=True)
    )
    return ExpertsRecipe(**{"base": str(folders[0]), "experts": experts, **more})


def layer(model: Decoder, number: int) -> Layer:
    return cast("Layer", model.layers[number])


def logits(folder: Path) -> torch.Tensor:
    model = read_decoder(folder).eval()
    with torch.no_grad():
        found: torch.Tensor = model(TOKENS % model.config.vocabulary).logits
    return found


@pytest.mark.parametrize("router", ["random", "hidden"])
@pytest.mark.parametrize("switches", [{}, {"gated": False}, {"joint_gate": True}], ids=str)
def test_experts_that_are_one_model_are_that_model(
    router: str, switches: dict[str, Any], tmp_path: Path
) -> None:
    """The weights sum to 1, whatever the routers say."""
    folders = [dense(tmp_path / f"m{n}", 1, **switches) for n in range(3)]
    assemble(recipe(folders, ["one", "two", "three"], router=router), tmp_path / "out")
    torch.testing.assert_close(logits(tmp_path / "out"), logits(folders[0]), rtol=1e-4, atol=1e-4)


def test_all_experts_with_a_router_of_nothing_are_their_mean(tmp_path: Path) -> None:
    folders = [dense(tmp_path / f"m{n}", n, layers=1) for n in range(2)]
    plan = assemble(recipe(folders, ["one", "two"], router="random"), tmp_path / "out")
    mixture = read_decoder(tmp_path / "out").eval()
    parameters = dict(mixture.named_parameters())
    for name in plan.routers:
        parameters[name].data.zero_()
    one, other = (read_decoder(folder).eval() for folder in folders)
    x = torch.randn(1, 5, 16, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        mixed = layer(mixture, 0).feed_forward(x)[0]
        mean = (layer(one, 0).feed_forward(x) + layer(other, 0).feed_forward(x)) / 2
    torch.testing.assert_close(mixed, mean, rtol=1e-5, atol=1e-6)


def test_hidden_routers_by_hand(tmp_path: Path) -> None:
    """The mean input of each feed-forward over a text's tokens, less that against it."""
    folders = [dense(tmp_path / f"m{n}", n) for n in range(2)]
    experts = (
        Expert(model=str(folders[0]), texts=("one two", "three"), against=("trois",)),
        Expert(model=str(folders[1]), texts=("un deux",)),
    )
    made = ExpertsRecipe(base=str(folders[0]), experts=experts, active=1)
    assemble(made, tmp_path / "out")
    base, mixture = read_decoder(folders[0]).eval(), read_decoder(tmp_path / "out")
    tokenizer = byte_level(["one two three", "un deux trois"])
    found: list[torch.Tensor] = []
    layer(base, 1).ff_norm.register_forward_hook(lambda *args: found.append(args[2][0]))
    with torch.no_grad():
        for text in ("one two", "three", "trois", "un deux"):
            base(torch.tensor([tokenizer.encode(text).ids]))
    first = torch.cat(found[:2]).mean(0) - found[2].mean(0)
    for row, wanted in zip(
        dict(mixture.named_parameters())["layers.1.feed_forward.router.weight"],
        (first, found[3].mean(0)),
        strict=True,
    ):
        torch.testing.assert_close(row, wanted / wanted.norm(), rtol=1e-4, atol=1e-5)


def test_training_lowers_the_loss_and_moves_routers_alone(tmp_path: Path) -> None:
    folders = [dense(tmp_path / f"m{n}", n) for n in range(2)]
    texts = ["one two three one two three", "un deux trois un deux trois"]
    for router in ("hidden", "trained"):
        made = recipe(folders, texts, router=router, steps=60, learning_rate=0.05)
        assemble(made, tmp_path / router)
    before, after = (
        read_decoder(tmp_path / router).state_dict() for router in ("hidden", "trained")
    )
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved == {f"layers.{n}.feed_forward.router.weight" for n in range(2)}
    tokenizer = byte_level(["one two three", "un deux trois"])

    def loss(router: str) -> float:
        model = read_decoder(tmp_path / router).eval()
        ids = [torch.tensor([tokenizer.encode(text).ids]) for text in texts]
        return sum(float(model(one[:, :-1], one[:, 1:]).loss.detach()) for one in ids)

    assert loss("trained") < loss("hidden")


def test_a_mixture_of_llamas_is_a_mixtral(tmp_path: Path) -> None:
    folders = [dense(tmp_path / f"m{n}", n) for n in range(2)]
    assemble(recipe(folders, ["one", "two"]), tmp_path / "out")
    export(tmp_path / "out", tmp_path / "mixtral", "mixtral")
    theirs = transformers.MixtralForCausalLM.from_pretrained(tmp_path / "mixtral")
    with torch.no_grad():
        assert torch.equal(
            theirs(TOKENS % theirs.config.vocab_size).logits, logits(tmp_path / "out")
        )


def mergekit_moe(folders: list[Path], routers: list[torch.Tensor], out: Path) -> Path:
    """The same mixture as mergekit 0.1.5 puts it together."""
    from mergekit.moe.config import MoEMergeConfig  # type: ignore[import-untyped]
    from mergekit.moe.mixtral import MixtralMoE  # type: ignore[import-untyped]
    from mergekit.options import MergeOptions  # type: ignore[import-untyped]

    table = {
        "base_model": str(folders[0]),
        "experts": [{"source_model": str(f), "positive_prompts": ["x"]} for f in folders],
        "dtype": "float32",
    }
    config = MoEMergeConfig.model_validate(table)
    MixtralMoE().write_model(str(out), config, MergeOptions(), routers)
    return out


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_mixture_is_mergekits(tmp_path: Path) -> None:
    """Every expert is in its own place, in mergekit's too."""
    folders = [dense(tmp_path / f"m{n}", n) for n in range(3)]
    plan = assemble(recipe(folders, list("abc"), router="random"), tmp_path / "out")
    export(tmp_path / "out", tmp_path / "mixtral", "mixtral")
    (tmp_path / "llama").mkdir()
    for folder in folders:
        export(folder, tmp_path / "llama" / folder.name, "llama")
    weights = load_file(tmp_path / "out" / "model.safetensors")
    routers = [weights[name] for name in sorted(plan.routers)]
    llamas = [tmp_path / "llama" / folder.name for folder in folders]
    theirs = mergekit_moe(llamas, routers, tmp_path / "theirs")
    made = [
        transformers.MixtralForCausalLM.from_pretrained(at).state_dict()
        for at in (tmp_path / "mixtral", theirs)
    ]
    assert made[0].keys() == made[1].keys()
    assert all(torch.equal(made[0][name], made[1][name]) for name in made[0])


def test_a_text_is_sent_to_the_expert_that_it_was_given_for(tmp_path: Path) -> None:
    """In every layer the expert's own text likes its router best, on the mean over its tokens."""
    folders = [dense(tmp_path / f"m{n}", n) for n in range(2)]
    texts = ["one two three", "un deux trois"]
    assemble(recipe(folders, texts, active=1), tmp_path / "out")
    base, mixture = read_decoder(folders[0]).eval(), read_decoder(tmp_path / "out").eval()
    tokenizer = byte_level(texts)
    seen: list[list[torch.Tensor]] = [[], []]
    for number in range(2):
        layer(base, number).ff_norm.register_forward_hook(
            lambda _, __, out, number=number: seen[number].append(out[0].mean(0))
        )
    with torch.no_grad():
        for text in texts:
            base(torch.tensor([tokenizer.encode(text).ids]))
        for number in range(2):
            router = cast("Any", layer(mixture, number).feed_forward).router
            assert router(torch.stack(seen[number])).argmax(1).tolist() == [0, 1]


@pytest.mark.parametrize("router", ["hidden", "trained"])
def test_taken_up_after_a_failure_the_bytes_are_the_same(
    router: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = [dense(tmp_path / f"m{n}", n) for n in range(2)]
    made = recipe(folders, ["one two", "un deux"], router=router, steps=3)
    assemble(made, tmp_path / "whole")
    copy, left = module._copy, iter(range(5))

    def failing(*args: Any) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt
        copy(*args)

    monkeypatch.setattr(module, "_copy", failing)
    with pytest.raises(KeyboardInterrupt):
        assemble(made, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    monkeypatch.setattr(module, "_copy", copy)
    assemble(made, tmp_path / "out")
    for path in (tmp_path / "whole").iterdir():
        assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    ("switches", "text"),
    [
        ({"heads": 4}, "'heads' = 2"),
        ({"ff_width": 32}, "'ff_width' = 24"),
        ({"tied": True}, "'tied' = False"),
    ],
)
def test_models_that_differ_are_refused(
    switches: dict[str, Any], text: str, tmp_path: Path
) -> None:
    folders = [dense(tmp_path / "m0", 0), dense(tmp_path / "m1", 1, **switches)]
    with pytest.raises(InputError, match=text):
        assemble(recipe(folders, ["one", "two"]), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_recipe_names_folders_from_its_own(tmp_path: Path) -> None:
    path = tmp_path / "moe.toml"
    path.write_text(
        'base = "a"\nrouter = "random"\n[[experts]]\nmodel = "a"\n[[experts]]\nmodel = "b"\n'
    )
    read = read_experts(path)
    assert [read.base, *(one.model for one in read.experts)] == [
        str(tmp_path / name) for name in ("a", "a", "b")
    ]
    path.write_text('base = "a"\n[[experts]]\nmodel = "a"\n[[experts]]\nmodel = "b"\n')
    with pytest.raises(InputError, match="texts for every expert"):
        read_experts(path)
