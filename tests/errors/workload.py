"""Errors of zhufeng.workload."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save
from torch import nn

from tests.errors.case import case
from zhufeng.base import parse
from zhufeng.records import Point, Workload
from zhufeng.route.stages.trace import TraceConfig
from zhufeng.workload import (
    Extent,
    capture,
    find_workloads,
    join,
    subject_of_config,
    subject_of_function,
    trace_step,
)

Patch = pytest.MonkeyPatch
CALL = "check the name, and that its package is installed"


@case(
    "the model Linear returns no loss",
    "a scalar, or something whose 'loss' is one",
    "a tensor of shape (3, 2)",
    "give it targets (Hugging Face: 'labels') in the batch, or wrap it in a module that computes "
    "the loss",
)
def no_loss(_: Path, __: Patch) -> None:
    trace_step(nn.Linear(4, 2), torch.ones(3, 4))


@case(
    "the model Linear has no cache that is known",
    "a zhufeng.models.Decoder, or a Hugging Face model with keys and values",
    "torch.nn.modules.linear.Linear",
    "capture mode 'prefill' instead",
)
def no_cache(_: Path, __: Patch) -> None:
    capture(nn.Linear(4, 2), torch.ones(3, 4, dtype=torch.long), mode="decode")


@case(
    "the batch has no tokens to decode after",
    "a tensor of tokens (batch, sequence), by itself or as 'input_ids'",
    "a tensor of shape (3, 4) and type torch.float32",
    "give the prompt's tokens",
)
def no_tokens(_: Path, __: Patch) -> None:
    capture(nn.Linear(4, 2), torch.ones(3, 4), mode="decode")


@case(
    "TMP/c.json does not describe a model that can be built",
    "the config.json of a Hugging Face model (with its 'model_type'), or of a decoder of Zhufeng's",
    "a file without a 'model_type'",
    "check the file, and that the installed transformers knows the model",
)
def no_model_type(tmp: Path, _: Patch) -> None:
    (tmp / "c.json").write_text("{}")
    subject_of_config(tmp / "c.json", (), Extent())


@case(
    "nowhere:make cannot be found",
    "package.module:name, or a name in a Python file",
    "ModuleNotFoundError: No module named 'nowhere'",
    CALL,
)
def no_function(_: Path, __: Patch) -> None:
    subject_of_function("nowhere:make", None, Extent())


@case(
    "math:pi is not a function",
    "a function that returns a torch.nn.Module",
    "a float",
    "name a function",
)
def no_callable(_: Path, __: Patch) -> None:
    subject_of_function("math:pi", None, Extent())


@case(
    "make returns no model",
    "a torch.nn.Module, or (module, batch)",
    "int",
    "return the module, or the module and its batch",
)
def no_module(tmp: Path, _: Patch) -> None:
    (tmp / "code_without_model.py").write_text("def make(): return 3")
    subject_of_function("make", tmp / "code_without_model.py", Extent())


@case(
    "no batch can be made for a Linear",
    "a Hugging Face model of tokens or pictures, a Decoder, or a function that returns (model, "
    "batch)",
    "a model that does not say what it reads",
    "return the batch with the model",
)
def no_batch(tmp: Path, _: Patch) -> None:
    (tmp / "code_without_batch.py").write_text(
        "import torch\ndef make(): return torch.nn.Linear(2, 2)"
    )
    subject_of_function("make", tmp / "code_without_batch.py", Extent())


@case(
    "TMP holds no workload",
    "a run with a traced model, or a folder with a workload.json",
    "a folder without one",
    "trace a model first: zhufeng trace MODEL -o RUN",
)
def no_workload(tmp: Path, _: Patch) -> None:
    list(find_workloads([tmp]))


def workload(width: int) -> Workload:
    return capture(nn.Sequential(nn.Linear(4, width)), torch.ones(2, 4), mode="prefill")


@case(
    "captures of different steps cannot be joined",
    "the operations of Sequential, 1 of them",
    "Sequential with 1; the first difference is addmm_*",
    "capture the same model, batch and optimizer at each point",
)
def different_steps(_: Path, __: Patch) -> None:
    points = [Point(name="a"), Point(name="b")]
    join([workload(2), workload(3)], points)


@case(
    "the captured step of Squares is not the model's",
    "gradients as eager's, to 1e-03 of each one's norm",
    "'weight' off by 0.75, the worst; loss 1, eager's 4",
    "look for an operator or a decomposition that computes something else than eager does; hooks "
    "on parameters, reentrant checkpoints, and random draws that are recomputed or come from "
    "another generator than torch's cannot be captured",
)
def other_gradients(_: Path, __: Patch) -> None:
    """Its forward pass is another each time."""
    scales = iter((1.0, 2.0, 2.0))

    class Squares(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(1))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return (self.weight * x * next(scales)).square().sum()

    capture(Squares(), torch.ones(1))


@case(
    "the model Linear cannot be traced on this batch",
    "a model that runs on its batch, with a loss that eager can go back from and an optimizer that "
    "needs no more than gradients",
    "RuntimeError: *",
    "run one step of it in plain PyTorch first, then trace the same",
)
def a_batch_that_does_not_fit(_: Path, __: Patch) -> None:
    capture(nn.Linear(4, 2), torch.ones(3, 5), mode="prefill")


NOTHING = "parameters that require gradients, and a loss that depends on them"
UNFREEZE = "unfreeze a parameter, do not detach the loss, or trace another mode than 'train'"


@case("the model Linear has nothing to train", NOTHING, "a loss without a gradient", UNFREEZE)
def all_frozen(_: Path, __: Patch) -> None:
    capture(nn.Linear(4, 2).requires_grad_(False), torch.ones(3, 4))


class Detached(nn.Linear):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x).sum().detach()


@case("the model Detached has nothing to train", NOTHING, "a loss without a gradient", UNFREEZE)
def a_detached_loss(_: Path, __: Patch) -> None:
    capture(Detached(4, 2), torch.ones(3, 4))


@case(
    "the optimizer keeps other things than tensors",
    "a state of tensors, so that a captured step can be replayed as any step",
    "'step', a int",
    "keep it as a tensor, as torch.optim does with 'step', or capture without the optimizer",
)
def an_optimizer_with_numbers(_: Path, __: Patch) -> None:
    model = nn.Sequential(nn.Linear(4, 1), nn.Flatten(0))
    optimizer = torch.optim.SGD(model.parameters())
    optimizer.state[next(model.parameters())]["step"] = 3
    capture(model, torch.ones(1, 4), optimizer)


class ComplexProduct(nn.Linear):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        product = x.to(torch.complex64) @ self.weight.to(torch.complex64).mT
        return product.abs().sum()


@case(
    "aten.mm multiplies complex numbers",
    "matrix products of real numbers",
    "complex64 in ''",
    "compute with real and imaginary parts apart, or leave that part out",
)
def complex_numbers(_: Path, __: Patch) -> None:
    capture(ComplexProduct(4, 2), torch.ones(3, 4))


@case(
    "make has failed",
    "a function that can be called without arguments and returns a module",
    "ZeroDivisionError: division by zero",
    "call it by itself in Python, and mend it",
)
def a_function_that_fails(tmp: Path, _: Patch) -> None:
    (tmp / "code_that_fails.py").write_text("def make(): return 1 / 0")
    subject_of_function("make", tmp / "code_that_fails.py", Extent())


@case(
    "TMP/list.json does not describe a model that can be built",
    "the config.json of a Hugging Face model (with its 'model_type'), or of a decoder of Zhufeng's",
    "ValueError: *",
    "check the file, and that the installed transformers knows the model",
)
def an_unknown_model_type(tmp: Path, _: Patch) -> None:
    (tmp / "list.json").write_text('{"model_type": "nobody"}')
    subject_of_config(tmp / "list.json", (), Extent())


@case(
    "the weights w.safetensors do not fit the model",
    "the tensors that its config.json asks for",
    "missing keys: *",
    "name the safetensors files that belong to the config, or none for random weights",
)
def weights_of_another_model(tmp: Path, _: Patch) -> None:
    config = {"model_type": "llama", "hidden_size": 16, "intermediate_size": 16}
    config |= {"num_hidden_layers": 1, "num_attention_heads": 1, "vocab_size": 8}
    (tmp / "c.json").write_text(json.dumps(config))
    (tmp / "w.safetensors").write_bytes(save({"nothing.here": torch.ones(2)}))
    subject_of_config(tmp / "c.json", [tmp / "w.safetensors"], Extent())


def config(**keys: object) -> None:
    parse(TraceConfig, keys, "f")


@case("f is not usable", "a model or a function, not both", "*", "correct it in f")
def two_models(_: Path, __: Patch) -> None:
    config(model="a.json", function="b:c")


@case("f is not usable", "a batch and a sequence of at least 1", "*", "correct it in f")
def no_sequence(_: Path, __: Patch) -> None:
    config(model="a.json", sequence=0)


@case("f is not usable", "weights only with a model, and with data", "*", "correct it in f")
def weights_of_nothing(_: Path, __: Patch) -> None:
    config(weights=["a.safetensors"])


@case("f is not usable", "the function of the code to call", "*", "correct it in f")
def code_alone(_: Path, __: Patch) -> None:
    config(code="a.py")


@case(
    "f is not usable",
    "no meta, batch or sequence for the run's own model and its data",
    "*",
    "correct it in f",
)
def meta_of_the_run(_: Path, __: Patch) -> None:
    config(meta=True)
