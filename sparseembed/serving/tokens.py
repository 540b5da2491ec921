"""The token that writes and reloads must bring."""

import hmac
from collections.abc import Callable
from typing import Annotated

from fastapi import Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from sparseembed.serving.problems import ProblemError
from sparseembed.serving.settings import Settings

_BEARER = HTTPBearer(auto_error=False, description="The server's token: its --token-file, or SPARSEEMBED_TOKEN.")
_Given = Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)]


def authorized(settings: Settings) -> Callable[..., None]:
    """Return a dependency of routes that refuses requests without the token; none is asked for where none is set."""
    wanted = None if settings.token is None else settings.token.encode()

    async def check(given: _Given) -> None:
        # In a time that says nothing of how much of the token was right.
        if wanted is not None and not hmac.compare_digest(given.credentials.encode() if given else b"", wanted):
            raise ProblemError(
                401,
                "The token is missing or another: send it as the header Authorization: Bearer TOKEN.",
                {"www-authenticate": "Bearer"},
            )

    return check  # type: ignore[return-value]
