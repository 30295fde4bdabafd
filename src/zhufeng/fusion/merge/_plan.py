"""What a merge will do, settled from headers alone."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from zhufeng.base import needs_extra
from zhufeng.fusion.merge._models import Model, layer_of, open_model
from zhufeng.fusion.merge._recipe import UNION, Recipe, Settings, Slice, SliceSource, resolve
from zhufeng.fusion.merge._table import METHODS, Value
from zhufeng.fusion.tensors import TOKEN_ROWS, Layout, TensorInfo, TensorSpec, lay_out

if TYPE_CHECKING:
    from zhufeng.fusion.merge._united import UnitedTokens

FLOATS: Mapping[str, str] = {
    "float64": "F64",
    "float32": "F32",
    "float16": "F16",
    "bfloat16": "BF16",
}
_EMBEDDINGS = ("embed", "wte", "wpe")
_HEAD, _EMBEDDING = "lm_head.weight", "model.embed_tokens.weight"
_PROCESS_BYTES = 260 << 20  # Python with torch
_BUFFER_BYTES = 16 << 20  # of a thread, generously
_SOURCE_BUFFER_BYTES = 3 << 20  # of a thread and model
_HELD = 55  # bytes, of a byte of a tokenizer.json, by the tokenizers' library
_MOST_BYTES = 500_000_000
_WRITE_BYTES_A_S = 2e9  # into memory; a disk that is slower adds its own time


@dataclass(frozen=True)
class Part:
    """A tensor of a source."""

    source: int
    """Number of the model in `Plan.models`."""
    tensor: TensorInfo


@dataclass(frozen=True)
class Task:
    """One tensor of the output."""

    spec: TensorSpec
    base: Part | None
    inputs: tuple[Part, ...]
    shared: Mapping[str, Value]
    each: tuple[Mapping[str, Value], ...]
    copied: bool
    """Its bytes are those of its one input, whatever they mean."""
    united: bool = False
    """It has a row for each token of the union; its parts have one for each of their own."""

    @property
    def parts(self) -> tuple[Part, ...]:
        """All that it is made from, the base first."""
        return self.inputs if self.base is None else (self.base, *self.inputs)


@dataclass(frozen=True)
class Plan:
    """A merge before data moves. With problems it cannot run."""

    recipe: Recipe
    models: tuple[Model, ...]
    tasks: tuple[Task, ...]
    layers: int
    """Of the output."""
    problems: tuple[str, ...]
    notes: tuple[str, ...]
    """What a user should know that stops nothing."""
    tokens: UnitedTokens | None = None
    """Where the recipe wants the union of tokenizers."""

    @cached_property
    def layout(self) -> Layout:
        """Where every byte of the output lies."""
        specs = [task.spec for task in self.tasks]
        return lay_out(specs, {"format": "pt"}, self.recipe.max_shard_bytes)

    @property
    def bytes_read(self) -> int:
        """From the sources, those read twice counted twice."""
        passes = METHODS[self.recipe.method].passes
        return sum(
            part.tensor.bytes * (1 if task.copied else passes)
            for task in self.tasks
            for part in task.parts
        )

    @property
    def bytes_written(self) -> int:
        """Of all tensors of the output."""
        return sum(task.spec.bytes for task in self.tasks)

    @property
    def threads(self) -> int:
        """As many as there are cores, if their buffers leave the process within 0.5 GB."""
        fit = (_MOST_BYTES - _PROCESS_BYTES) // self._thread_bytes
        return max(1, min(fit, os.cpu_count() or 1))

    def seconds(self, threads: int | None = None) -> float:
        """Predicted, with the sources in memory; a cold disk adds its own time."""
        ns = METHODS[self.recipe.method].ns_per_element
        elements = sum(part.tensor.elements for task in self.tasks for part in task.parts)
        computed = elements * ns * 1e-9 / (threads or self.threads)
        return computed + self.bytes_written / _WRITE_BYTES_A_S

    def memory_bytes(self, threads: int | None = None) -> int:
        """Predicted, at most; of the process, without the system's page cache."""
        held = 0 if self.tokens is None else self.tokens.spelt_bytes * _HELD
        return _PROCESS_BYTES + (threads or self.threads) * self._thread_bytes + held

    @property
    def _thread_bytes(self) -> int:
        return _BUFFER_BYTES + len(self.models) * _SOURCE_BUFFER_BYTES


def plan(recipe: Recipe) -> Plan:
    """Settle a merge from the sources' headers and configurations.

    Everything that would stop it is in `Plan.problems`.

    Raises:
        InputError: a source's file is damaged or missing; the recipe wants the union of tokenizers,
            and they cannot be united.
    """
    models = {folder: open_model(Path(folder)) for folder in recipe.folders}
    return _Planner(recipe, models).plan()


class _Planner:
    def __init__(self, recipe: Recipe, models: Mapping[str, Model]) -> None:
        self.recipe, self.models = recipe, models
        self.numbers = {folder: number for number, folder in enumerate(models)}
        self.problems: list[str] = []
        self.notes: list[str] = []
        self.tokens: UnitedTokens | None = None

    def plan(self) -> Plan:
        self._compare_models()
        slices = self.recipe.slices or (self._whole(),)
        tasks: list[Task] = []
        layers = 0
        for number, part in enumerate(slices):
            first, last = number == 0, number == len(slices) - 1
            tasks += self._slice(part, layers, embedded=first, ended=last)
            layers += part.sources[0].layers[1] - part.sources[0].layers[0]
        return Plan(
            self.recipe,
            tuple(self.models.values()),
            tuple(tasks),
            layers,
            tuple(dict.fromkeys(self.problems)),
            tuple(dict.fromkeys(self.notes)),
            self.tokens,
        )

    def _whole(self) -> Slice:
        """Models as one slice of all their layers."""
        sources = self.recipe.models
        layers = max(1, self.models[self.recipe.base or sources[0].model].layers)
        return Slice(
            sources=tuple(
                SliceSource(model=s.model, layers=(0, layers), parameters=s.parameters)
                for s in sources
            )
        )

    def _compare_models(self) -> None:
        first, *others = self.models.values()
        for other in others:
            self._compare(first, other)
        if self.recipe.tokenizer == "same":
            for other in others:
                if first.tokenizer != other.tokenizer:
                    self.problems.append(
                        f"{other.name} has another tokenizer than {first.name}; "
                        "'tokenizer' can be 'union', or name the model whose it is to be"
                    )
        elif self.recipe.tokenizer == UNION:
            self._unite()
        elif self.recipe.tokenizer not in self.models:
            self.problems.append("tokenizer names none of the models")
        elif self.models[self.recipe.tokenizer].tokenizer is None:
            name = self.models[self.recipe.tokenizer].name
            self.problems.append(f"{name}, whose tokenizer is to be taken, has none")

    def _unite(self) -> None:
        models = self.models.values()
        without = [model.name for model in models if not model.embedded]
        if without:
            self.problems.append(f"{without[0]} has no embedding of a known name")
            return
        with needs_extra("fusion"):
            from zhufeng.fusion.merge._united import united_tokens  # noqa: PLC0415 (needs torch)

            self.tokens = united_tokens([(model.folder, model.embedded) for model in models])

    def _compare(self, first: Model, other: Model) -> None:
        what = {
            "architecture": (first.config.get("model_type"), other.config.get("model_type")),
            "head_dim": (first.head_dim, other.head_dim),
            "num_key_value_heads": (first.key_value_heads, other.key_value_heads),
        }
        keys = ["hidden_size", "num_attention_heads", "intermediate_size"]
        if self.recipe.tokenizer != UNION:
            keys.append("vocab_size")
        what |= {key: (first.config.get(key), other.config.get(key)) for key in keys}
        if not self.recipe.slices:
            what["number of layers"] = (first.layers, other.layers)
        if first.config and other.config:
            self.problems += [
                f"{key}: {one} in {first.name}, {two} in {other.name}"
                for key, (one, two) in what.items()
                if one != two
            ]
        for key in ("rope_theta", "rope_scaling", "rope_parameters", "tie_word_embeddings"):
            if first.config.get(key) != other.config.get(key):
                self.notes.append(f"{key} differs between {first.name} and {other.name}")

    def _slice(self, part: Slice, at: int, *, embedded: bool, ended: bool) -> Iterator[Task]:
        """Tasks of a slice whose first layer is the output's layer `at`."""
        reference = self._reference(part)
        first, end = reference.layers
        present = set()
        for name in self.models[reference.model].tensors.tensors:
            found = layer_of(name)
            if found is None:
                before = any(mark in name for mark in _EMBEDDINGS)
                if embedded if before else ended:
                    yield from self._task(part, name, name, 0, 0.0)
            elif first <= found[1] < end:
                offset = found[1] - first
                present.add(offset)
                depth = offset / (end - first - 1) if end - first > 1 else 1.0
                target = f"{found[0]}.{at + offset}.{found[2]}"
                yield from self._task(part, target, name, offset, depth)
        self._check_slice(part, reference, present, whole=embedded and ended)

    def _reference(self, part: Slice) -> SliceSource:
        """The source whose tensors the others must have: the base, else the first."""
        for source in part.sources:
            if source.model == self.recipe.base:
                return source
        first = part.sources[0]
        if self.recipe.base is None or METHODS[self.recipe.method].base == "unused":
            return first
        return SliceSource(model=self.recipe.base, layers=first.layers)

    def _check_slice(
        self, part: Slice, reference: SliceSource, present: set[int], *, whole: bool
    ) -> None:
        model = self.models[reference.model]
        first, end = reference.layers
        missing = next((at for at in range(end - first) if at not in present), None)
        if missing is not None and model.layers:
            self.problems.append(f"{model.name} has no layer {first + missing}")
        if not whole or self.recipe.slices:
            return
        known = model.tensors.tensors.keys()
        for source in part.sources:
            other = self.models[source.model]
            extra = [n for n in other.tensors.tensors if n not in known and n != _HEAD]
            if extra:
                self.problems.append(
                    f"{other.name} has {len(extra)} tensors that {model.name} lacks: {extra[0]}"
                )

    def _task(
        self, part: Slice, target: str, name: str, offset: int, depth: float
    ) -> Iterator[Task]:
        reference = self._reference(part)
        of = layer_of(name)
        parts: dict[str, Part] = {}
        for source in dict.fromkeys([reference.model, *(s.model for s in part.sources)]):
            layers = next((s.layers for s in part.sources if s.model == source), reference.layers)
            own = f"{of[0]}.{layers[0] + offset}.{of[2]}" if of else name
            info = self._tensor(self.models[source], own)
            if info is not None:
                parts[source] = Part(self.numbers[source], info)
        if len(parts) == len(dict.fromkeys([reference.model, *(s.model for s in part.sources)])):
            yield from self._merged(part, target, parts, depth)

    def _tensor(self, model: Model, name: str) -> TensorInfo | None:
        tensors = model.tensors.tensors
        if name == _HEAD and name not in tensors and model.tied and _EMBEDDING in tensors:
            return tensors[_EMBEDDING]
        if name not in tensors:
            self.problems.append(f"{model.name} lacks the tensor {name}")
        return tensors.get(name)

    def _merged(
        self, part: Slice, target: str, parts: Mapping[str, Part], depth: float
    ) -> Iterator[Task]:
        method = METHODS[self.recipe.method]
        united = self.tokens is not None and target in TOKEN_ROWS
        shapes = {source: self._shape(one.tensor, united=united) for source, one in parts.items()}
        first, shape = next(iter(shapes.items()))
        for source, other in shapes.items():
            if other != shape:
                one, two = (self.models[folder].name for folder in (first, source))
                self.problems.append(
                    f"{target} has shape {list(shape)} in {one}, {list(other)} in {two}"
                )
                return
        base = None if method.base == "unused" else parts[str(self.recipe.base)]
        sources = [s for s in part.sources if base is None or s.model != self.recipe.base]
        inputs = tuple(parts[source.model] for source in sources)
        shared = self._values(method.shared, target, depth, [part.parameters])
        each = tuple(
            self._values(method.each, target, depth, [source.parameters, part.parameters])
            for source in sources
        )
        self._check_values(target, shared, each)
        dtype = self._dtype(target, [base or inputs[0], *inputs])
        copied = dtype not in FLOATS.values() or (
            self.recipe.method == "passthrough"
            and each[0]["scale"] == 1
            and dtype == inputs[0].tensor.dtype
        )
        if dtype.startswith("F8") and any(values.get("scale", 1) != 1 for values in each):
            self.problems.append(f"{target} is {dtype}, which cannot be scaled")
        if united:
            self._check_united(target, parts, dtype)
            copied = False
        if copied:
            inputs = (base or inputs[0],)
            base = None
        spec = TensorSpec(target, dtype, shape)
        yield Task(spec, base, inputs, shared, each, copied, united)

    def _shape(self, tensor: TensorInfo, *, united: bool) -> tuple[int, ...]:
        rows = (self.tokens.rows,) if united and self.tokens is not None else tensor.shape[:1]
        return (*rows, *tensor.shape[1:])

    def _check_united(self, target: str, parts: Mapping[str, Part], dtype: str) -> None:
        if dtype not in FLOATS.values():
            self.problems.append(f"{target} is {dtype}, whose rows cannot be united")
        for folder, model in self.models.items():
            if folder not in parts:
                self.problems.append(
                    f"{model.name} takes no part in {target}, which its tokens need: name it there"
                )

    def _dtype(self, target: str, parts: Sequence[Part]) -> str:
        """Of the output's tensor; what is no float, or of 8 bits, keeps its own."""
        dtypes = [part.tensor.dtype for part in parts]
        if all(dtype in FLOATS.values() for dtype in dtypes):
            return FLOATS[self.recipe.dtype] if self.recipe.dtype else dtypes[0]
        if len(set(dtypes)) > 1:
            self.problems.append(f"{target} is {dtypes[0]} in one model, {dtypes[-1]} in another")
        elif dtypes[0].startswith("F8") and self.recipe.method != "passthrough":
            self.problems.append(f"{target} is {dtypes[0]}, which can only be passed through")
        elif self.recipe.method != "passthrough":
            self.notes.append(f"{target} holds {dtypes[0]} and is copied from the first model")
        return dtypes[0]

    def _values(
        self,
        wanted: Mapping[str, Value | None],
        target: str,
        depth: float,
        scopes: Sequence[Settings],
    ) -> dict[str, Value]:
        values: dict[str, Value] = {}
        for key, default in wanted.items():
            found = [
                resolve(scope.get(key), target, depth)
                for scope in (*scopes, self.recipe.parameters)
            ]
            value = next((value for value in (*found, default) if value is not None), None)
            if value is None:
                self.problems.append(f"no '{key}' is given for {target}")
                value = 0.0
            values[key] = value
        return values

    def _check_values(
        self, target: str, shared: Mapping[str, Value], each: Sequence[Mapping[str, Value]]
    ) -> None:
        normalized = self.recipe.method == "linear" and shared["normalize"]
        if normalized and sum(float(values["weight"]) for values in each) == 0:
            self.problems.append(f"the weights of {target} add up to 0")
        for values in each:
            if "epsilon" not in values:
                continue
            density, epsilon = float(values["density"]), float(values["epsilon"])
            if 0 < density < 1 and not epsilon < min(density, 1 - density):
                self.problems.append(f"{target}: density +- epsilon leave (0, 1)")
