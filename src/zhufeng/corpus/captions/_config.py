"""How shots are described."""

from __future__ import annotations

import math
from pathlib import Path
from urllib.parse import urlsplit

from zhufeng.base import InputError, files_below, record, sha256_file, sha256_json


@record
class CaptionConfig:
    """Which model describes the shots; with neither a model nor an endpoint none does."""

    model: str | None = None
    """A folder with a vision-language model and its processor, as transformers saves them."""
    endpoint: str | None = None
    """A server that speaks OpenAI's protocol, such as "http://localhost:8000/v1". Its key is
    taken from the environment variable OPENAI_API_KEY."""
    endpoint_model: str | None = None
    """The model's name there."""
    prompt: str = "Describe in one sentence what this picture shows."
    long_side: int = 448
    """Pixels of the picture's longer side, as the model gets it."""
    max_tokens: int = 60
    at_least_s: float = 1.0
    """Shorter shots get no caption."""
    timeout_s: float = 120.0
    """How long one answer of the endpoint may take."""

    @property
    def wanted(self) -> bool:
        """Whether shots are described."""
        return self.model is not None or self.endpoint is not None

    def __post_init__(self) -> None:
        if self.model is not None and self.endpoint is not None:
            raise ValueError("a model or an endpoint, not both")
        if (self.endpoint is None) != (self.endpoint_model is None):
            raise ValueError("endpoint and endpoint_model together")
        if self.endpoint is not None:
            _check_url(self.endpoint)
        if min(self.long_side, self.max_tokens) < 1:
            raise ValueError("long_side and max_tokens of at least 1")
        # "Not a number" is neither; and no system waits for ever.
        if not (self.at_least_s >= 0 and 0 < self.timeout_s < math.inf):
            raise ValueError("at_least_s of at least 0 and a finite timeout_s above 0")


def caption_hashes(config: CaptionConfig) -> dict[str, str]:
    """Name to hash of the model that describes shots, without loading it; none when off.

    A folder's hash is of all its files, an endpoint's of its address and the model's name:
    that another model answers there cannot be seen.

    Raises:
        InputError: the folder holds no model.
    """
    if config.model is not None:
        folder = model_folder(config.model)
        files = {name: sha256_file(folder / name) for name in files_below(folder)}
        return {folder.name: sha256_json(files)}
    if config.endpoint_model is not None:
        return {config.endpoint_model: sha256_json([config.endpoint, config.endpoint_model])}
    return {}


def model_folder(name: str) -> Path:
    """The folder of a model.

    Raises:
        InputError: there is no model in it.
    """
    folder = Path(name).expanduser().resolve()
    if not (folder / "config.json").is_file():
        raise InputError(
            f"{name} is not a model that describes pictures",
            expected="a folder with config.json, weights and a processor",
            came="no config.json in it" if folder.is_dir() else "no such folder",
            do="name the folder of a vision-language model in captions.model",
        )
    return folder


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("an endpoint like http://localhost:8000/v1")
    if parts.username is not None or parts.password is not None:
        raise ValueError("no password in the endpoint: it stands in OPENAI_API_KEY")
