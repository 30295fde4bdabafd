"""A model's settings, of which every one has to be understood."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeVar

from zhufeng.base import InputError, shown

T = TypeVar("T")
_NEEDED = object()
_KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
# Of training, of running and of files: none of them changes what the weights compute.
_NO_MATTER = frozenset(
    [
        "_attn_implementation",
        "_name_or_path",
        "architectures",
        "attention_dropout",
        "attention_probs_dropout_prob",
        "auto_map",
        "aux_loss_alpha",
        "bad_words_ids",
        "begin_suppress_tokens",
        "bos_token_id",
        "chunk_size_feed_forward",
        "dropout_rate",
        "dtype",
        "embd_pdrop",
        "eod_token_id",
        "eos_token_id",
        "ep_size",
        "finetuning_task",
        "gradient_checkpointing",
        "hidden_dropout",
        "hidden_dropout_prob",
        "id2label",
        "ignore_token_id",
        "im_end_id",
        "im_newline_id",
        "im_start_id",
        "initializer_range",
        "is_encoder_decoder",
        "keys_to_ignore_at_inference",
        "label2id",
        "mask_init_id",
        "max_position_embeddings",
        "max_window_layers",
        "mlp_dropout",
        "model_max_length",
        "model_type",
        "num_mtp_layers",
        "num_nextn_predict_layers",
        "output_attentions",
        "output_hidden_states",
        "output_router_logits",
        "pad_id",
        "pad_token_id",
        "pretraining_tp",
        "problem_type",
        "resid_pdrop",
        "return_dict",
        "rope_ratio",
        "router_aux_loss_coef",
        "router_jitter_noise",
        "sep_token_id",
        "seq_aux",
        "seq_length",
        "text_end_id",
        "text_start_id",
        "tokenizer_class",
        "topk_method",
        "torch_dtype",
        "transformers_version",
        "unk_token_id",
        "use_cache",
    ]
)


class Settings:
    """``config.json`` of another family, read key by key; what was never asked for is refused."""

    def __init__(self, values: Mapping[str, Any], family: str, where: str) -> None:
        self.values, self.family, self.where = values, family, where
        self.read: set[str] = set()

    def take(self, name: str, kind: type[T], default: Any = _NEEDED, *also: str) -> T:
        """The value of `name`, or of what it is called elsewhere; null and absent are `default`.

        Raises:
            InputError: it is needed and absent, or of another kind.
        """
        names = (name, *also)
        self.read.update(names)
        value = next((self.values[one] for one in names if self.values.get(one) is not None), None)
        if value is None:
            if default is _NEEDED:
                raise self.refused(f"'{name}': {_KINDS[kind]}", "nothing")
            return default  # type: ignore[no-any-return]
        if kind is float and type(value) is int:
            value = float(value)
        finite = not isinstance(value, float) or math.isfinite(value)
        if type(value) is not kind or not finite:
            raise self.refused(f"'{name}': {_KINDS[kind]}", shown(repr(value)))
        return value

    def must(self, name: str, *allowed: object) -> None:
        """Refuse every value of `name` but these; null and absent are always allowed."""
        self.read.add(name)
        value = self.values.get(name)
        if value is not None and value not in allowed:
            raise self.refused(f"'{name}' = {' or '.join(map(repr, allowed))}", shown(repr(value)))

    def alike(self, name: str) -> Any:
        """The value of `name`, or that which all layers have where it is a list, a layer each."""
        self.read.add(name)
        value = self.values.get(name)
        if not isinstance(value, list):
            return value
        if not value or any(one != value[0] for one in value):
            raise self.refused(f"'{name}': the same for every layer", shown(repr(value)))
        return value[0]

    def off(self, *names: str) -> None:
        """Refuse these where they are anything but null, false, 0 or empty."""
        for name in names:
            self.read.add(name)
            if self.values.get(name):
                raise self.refused(f"no '{name}'", shown(repr(self.values[name])))

    def many(self, name: str, kind: type[T]) -> list[T] | None:
        """The list called `name`, if it is there."""
        self.read.add(name)
        value = self.values.get(name)
        if value is None:
            return None
        if not isinstance(value, list) or any(type(one) is not kind for one in value):
            raise self.refused(f"'{name}': a list, each {_KINDS[kind]}", shown(repr(value)))
        return value

    def below(self, name: str) -> Settings | None:
        """The table called `name`, if it is there."""
        self.read.add(name)
        value = self.values.get(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise self.refused(f"'{name}': a table", shown(repr(value)))
        return Settings(value, self.family, f"{self.where}: '{name}'")

    def finish(self) -> None:
        """Refuse what was not asked for.

        Raises:
            InputError: a setting is not known; names it.
        """
        told = {str(name) for name, value in self.values.items() if value is not None}
        unknown = sorted(told - self.read - _NO_MATTER)
        # Numbers of tokens are the tokenizer's.
        unknown = [name for name in unknown if not name.endswith(("_id", "_ids"))]
        if unknown:
            first = unknown[0]
            came = f"{shown(repr(first))} = {shown(repr(self.values.get(first)))}"
            raise self.refused(f"settings that are known of '{self.family}'", came)

    def refused(self, expected: str, came: str) -> InputError:
        """An error that names what is not understood."""
        return InputError(
            f"{self.where} is not understood",
            expected=expected,
            came=came,
            do="take a model that has not this, or say what it means in an issue",
        )
