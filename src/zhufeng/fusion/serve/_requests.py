"""What clients ask for: OpenAI's parameters as far as a mixture can follow them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from zhufeng.base import InputError, brief, is_utf8, loads_json, shown
from zhufeng.fusion.serve._chat import TURN_STOPS, Turn, render
from zhufeng.fusion.serve._config import ServeConfig
from zhufeng.fusion.serve._errors import ApiError

# They change nothing of an answer's text.
HARMLESS = frozenset(
    {
        "metadata",
        "parallel_tool_calls",
        "prompt_cache_key",
        "prompt_cache_retention",
        "safety_identifier",
        "service_tier",
        "store",
        "user",
    }
)
# They would change it; these values ask for no change.
NEUTRAL: dict[str, tuple[Any, ...]] = {
    "best_of": (1,),
    "suffix": ("",),
    "presence_penalty": (0,),
    "frequency_penalty": (0,),
    "logit_bias": ({},),
    "response_format": ({"type": "text"},),
    "modalities": (["text"],),
    "tools": ([],),
    "functions": ([],),
    "tool_choice": ("none", "auto"),
    "function_call": ("none", "auto"),
    "top_logprobs": (0,),
}
_MOST_STOPS = 4
_COMPLETION_CHUNKS = 16
_MESSAGE_NAMES = frozenset({"role", "content"})


def _unicode(text: str) -> str:
    if not is_utf8(text):
        raise ValueError("half a surrogate pair is not text")
    return text


Text = Annotated[str, AfterValidator(_unicode)]
Stop = Annotated[Text, Field(min_length=1, max_length=200)]
T = TypeVar("T", bound="_Request")


class _StreamOptions(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    include_usage: bool = False
    include_obfuscation: bool = False


class _Request(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

    model: str
    n: Annotated[int, Field(ge=1)] = 1
    temperature: Annotated[float, Field(ge=0, le=2)] = 1.0
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    stop: Stop | Annotated[list[Stop], Field(max_length=_MOST_STOPS)] = []
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    stream: bool = False
    stream_options: _StreamOptions = _StreamOptions()

    @property
    def stops(self) -> tuple[str, ...]:
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop)


class _Completion(_Request):
    prompt: Text | Annotated[list[Text], Field(min_length=1)]
    max_tokens: Annotated[int, Field(ge=0)] = _COMPLETION_CHUNKS
    echo: bool = False
    logprobs: Annotated[int, Field(ge=0, le=5)] | None = None


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    type: Literal["text"]
    text: Text


class _Message(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    role: Literal["system", "developer", "user", "assistant"]
    content: Text | list[_Part]

    def turn(self) -> Turn:
        said = self.content
        text = said if isinstance(said, str) else "".join(part.text for part in said)
        return Turn(self.role, text)


class _Chat(_Request):
    messages: Annotated[list[_Message], Field(min_length=1)]
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    logprobs: bool = False


@dataclass(frozen=True)
class Ask:
    """A request that can be answered."""

    prompts: tuple[str, ...]
    n: int
    chunks: int
    """The most that an answer may have."""
    temperature: float
    top_p: float
    stops: tuple[str, ...]
    seed: int | None
    echo: bool
    logprobs: bool
    stream: bool
    usage_in_stream: bool
    chat: bool

    def begin(self, choice: int) -> int:
        """Where the text of an answer begins, in characters of its prompt and itself."""
        return 0 if self.echo else len(self.prompts[choice // self.n])


def read_completion(data: bytes, config: ServeConfig) -> Ask:
    """A body of ``/v1/completions``.

    Raises:
        ApiError: it cannot be answered; names the parameter.
    """
    told = _object(data)
    prompt = told.get("prompt")
    if isinstance(prompt, list) and prompt and not isinstance(prompt[0], str):
        raise ApiError(
            400,
            "A prompt of tokens cannot be read: the members have tokenizers of their own. "
            "Send the text.",
            param="prompt",
        )
    asked = _validated(_Completion, told)
    prompts = (asked.prompt,) if isinstance(asked.prompt, str) else tuple(asked.prompt)
    return _ask(
        asked,
        config,
        prompts=prompts,
        chunks=asked.max_tokens,
        stops=asked.stops,
        echo=asked.echo,
        logprobs=asked.logprobs is not None,
        chat=False,
    )


def read_chat(data: bytes, config: ServeConfig) -> Ask:
    """A body of ``/v1/chat/completions``.

    Raises:
        ApiError: it cannot be answered; names the parameter.
    """
    told = _object(data)
    if isinstance(told.get("messages"), list):
        told["messages"] = [_bare(message) for message in told["messages"]]
    asked = _validated(_Chat, told)
    limits = [n for n in (asked.max_completion_tokens, asked.max_tokens) if n is not None]
    return _ask(
        asked,
        config,
        prompts=(render([message.turn() for message in asked.messages]),),
        chunks=min(limits, default=config.max_chunks),
        stops=(*asked.stops, *TURN_STOPS),
        echo=False,
        logprobs=asked.logprobs,
        chat=True,
    )


def _ask(
    asked: _Request,
    config: ServeConfig,
    *,
    prompts: tuple[str, ...],
    chunks: int,
    stops: Sequence[str],
    echo: bool,
    logprobs: bool,
    chat: bool,
) -> Ask:
    if asked.model != config.model:
        raise ApiError(
            404,
            f"The model '{shown(asked.model)}' does not exist; there is '{config.model}'.",
            param="model",
            code="model_not_found",
        )
    if chunks > config.max_chunks:
        most = f"at most {config.max_chunks} chunks"
        raise ApiError(400, f"An answer may have {most}, not {chunks}.", param="max_tokens")
    if len(prompts) * asked.n > config.max_choices:
        most = f"at most {config.max_choices} answers, prompts times n"
        raise ApiError(400, f"A request may have {most}.", param="n")
    return Ask(
        prompts=prompts,
        n=asked.n,
        chunks=chunks,
        temperature=asked.temperature,
        top_p=asked.top_p,
        stops=tuple(stops),
        seed=asked.seed,
        echo=echo,
        logprobs=logprobs,
        stream=asked.stream,
        usage_in_stream=asked.stream_options.include_usage,
        chat=chat,
    )


def _object(data: bytes) -> dict[str, Any]:
    """The request's parameters, without those that ask for nothing."""
    try:
        told = loads_json(data, "the request")
    except InputError as error:
        raise ApiError(400, f"The body is not JSON: {error.came}.") from None
    if not isinstance(told, dict):
        raise ApiError(400, "The body is not a JSON object.")
    kept = {}
    for name, value in told.items():
        if name in NEUTRAL and value is not None and value not in NEUTRAL[name]:
            raise ApiError(
                400,
                f"'{name}' is not supported: a mixture cannot follow it, and it would change "
                "the answer.",
                param=name,
                code="unsupported_parameter",
            )
        if value is not None and name not in HARMLESS and name not in NEUTRAL:
            kept[name] = value
    return kept


def _bare(message: Any) -> Any:
    """A message without what clients send back of an answer and which says nothing."""
    if not isinstance(message, dict):
        return message
    return {
        name: value
        for name, value in message.items()
        if name in _MESSAGE_NAMES or not (value is None or value == [] or name == "name")
    }


def _validated(kind: type[T], told: dict[str, Any]) -> T:
    try:
        return kind.model_validate(told)
    except ValidationError as errors:
        error = errors.errors(include_url=False)[0]
    except (ValueError, RecursionError) as other:
        raise ApiError(400, f"The body cannot be read: {brief(other)}.") from None
    # What is wrong with the object itself, such as a name that is no Unicode, has no place in it.
    place_of = error["loc"] or ("body",)
    names = [part for part in place_of if isinstance(part, int) or part in told]
    param = str(place_of[0])
    place = shown("".join(f"[{p}]" if isinstance(p, int) else str(p) for p in names) or param)
    if error["type"] == "extra_forbidden":
        message = f"'{shown('.'.join(map(str, place_of)))}' is not a known parameter."
        raise ApiError(400, message, param=shown(param), code="unknown_parameter")
    raise ApiError(400, f"'{place}': {error['msg']}.", param=shown(param))
