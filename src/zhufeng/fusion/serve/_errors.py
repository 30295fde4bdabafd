"""What is wrong with a request, in the form that OpenAI's clients read."""

from __future__ import annotations

from typing import Any

_KINDS = {401: "authentication_error", 404: "not_found_error"}
_SERVER = 500


class ApiError(Exception):
    """A request that is not answered."""

    def __init__(
        self, status: int, message: str, *, param: str | None = None, code: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.param = param
        self.code = code
        self.retry_after_s: int | None = None

    def body(self) -> dict[str, Any]:
        """The object that OpenAI's API answers with."""
        usual = "server_error" if self.status >= _SERVER else "invalid_request_error"
        return {
            "error": {
                "message": str(self),
                "type": _KINDS.get(self.status, usual),
                "param": self.param,
                "code": self.code,
            }
        }
