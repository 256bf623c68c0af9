"""Who may ask the server: its own page, on this machine, which knows the secret of its address."""

import secrets
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOCAL_NAMES = frozenset({"127.0.0.1", "localhost"})
_METHODS = frozenset({"GET", "POST"})


def new_secret() -> str:
    """Returns a part of an address that nobody can guess: 192 random bits."""
    return secrets.token_urlsafe(24)


class Guard:
    """Refuses requests that do not come from the inspector's own page.

    - The `Host` header must name this machine. Else a foreign name that resolves to 127.0.0.1
      would make the page one of a foreign site (DNS rebinding).
    - The path must begin with the secret, which is known to whoever started the inspector.
    - A request that changes something must not come from another site's page.

    All answers forbid the browser to keep them, to frame them and to guess their type.

    Args:
        app: ASGI application.
        secret: str. See `new_secret`.
        policy: str. The Content-Security-Policy.
    """

    def __init__(self, app: ASGIApp, secret: str, policy: str):
        self._app = app
        self._prefix = f"/{secret}/"
        self._headers = {
            "content-security-policy": policy,
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
            "cache-control": "no-store",
            "cross-origin-resource-policy": "same-origin",
            "cross-origin-opener-policy": "same-origin",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request, or refuses it."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self._headers)
            await send(message)

        refused = self._refuse(scope)
        if refused is None:
            await self._app(scope, receive, send_with_headers)
        else:
            status, text = refused
            await PlainTextResponse(text, status)(scope, receive, send_with_headers)

    def _refuse(self, scope: Scope) -> tuple[int, str] | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if scope["method"] not in _METHODS:
            return 405, "Only GET and POST are answered."
        if _name_of(host) not in LOCAL_NAMES:
            return 421, "The inspector answers at 127.0.0.1 and localhost alone."
        start = scope["path"][: len(self._prefix)]
        if not secrets.compare_digest(start.encode(), self._prefix.encode()):
            return 404, "Open the address that the terminal shows, as a whole."
        if scope["method"] == "POST":
            origin = headers.get("origin")
            site = headers.get("sec-fetch-site", "same-origin")
            if site != "same-origin" or origin not in (None, f"http://{host}"):
                return 403, "Only the inspector's own page may change something."
        return None


def _name_of(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None
