"""The web application: the page, and the requests that its script makes."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route

from kerasad.errors import FailedError, InputError, describe_machine_failure
from kerasad.inspector.guard import Guard
from kerasad.inspector.page import render_page
from kerasad.inspector.session import Session

MOST_NAME = 400
_MOST_JSON = 10_000

_log = logging.getLogger(__name__)


class _TooLargeError(Exception):
    """A request has more bytes than it may."""


def make_app(session: Session, secret: str, in_words: Callable[[str], str] = str) -> Starlette:
    """Returns the application.

    Args:
        session: Session.
        secret: str. The first part of every path, see `Guard`.
        in_words: function that turns an error into the words of the user.
    """
    page = render_page()

    async def show_page(request: Request) -> Response:
        return HTMLResponse(page.html)

    async def work(function: Callable, *arguments: Any) -> Response:
        try:
            return JSONResponse(await run_in_threadpool(function, *arguments))
        except Exception as error:  # one picture must not end the others
            return _refuse(error, in_words)

    async def describe(request: Request) -> Response:
        return await work(session.describe)

    async def add(request: Request) -> Response:
        name = request.query_params.get("name", "")[:MOST_NAME] or "the picture"
        try:
            data = await _read(request, session.upload_limit)
        except _TooLargeError:
            limit = session.upload_limit / 2**20
            text = f"{name}: the file has more than the {limit:.4g} MB that are accepted."
            return JSONResponse({"error": text}, 413)
        return await work(lambda: session.answer(session.add(name, data)))

    async def answer(request: Request) -> Response:
        return await work(session.answer, request.path_params["number"])

    async def show_maps(request: Request) -> Response:
        return await work(session.expert_maps, request.path_params["number"])

    async def mark(request: Request) -> Response:
        return await _with_json(
            request,
            lambda values: work(
                session.mark, request.path_params["number"], values.get("good") is True
            ),
        )

    async def forget(request: Request) -> Response:
        return await work(lambda: session.forget() or session.describe())

    async def renew(request: Request) -> Response:
        return await _with_json(
            request,
            lambda values: work(lambda: session.renew(values.get("how")) or session.describe()),
        )

    routes = [
        Route("/", show_page),
        Route("/state", describe),
        Route("/pictures", add, methods=["POST"]),
        Route("/pictures/{number:int}", answer),
        Route("/pictures/{number:int}/maps", show_maps),
        Route("/pictures/{number:int}/good", mark, methods=["POST"]),
        Route("/forget", forget, methods=["POST"]),
        Route("/renew", renew, methods=["POST"]),
    ]
    return Starlette(
        routes=[Mount(f"/{secret}", routes=routes)],
        middleware=[Middleware(Guard, secret=secret, policy=page.policy)],
    )


async def _read(request: Request, limit: int) -> bytes:
    """Reads a body, and stops where it is larger than it may be, whatever its header says."""
    length = request.headers.get("content-length", "0")
    if not length.isdigit() or int(length) > limit:
        raise _TooLargeError
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise _TooLargeError
        parts.append(part)
    return b"".join(parts)


async def _with_json(request: Request, then: Callable) -> Response:
    import json

    try:
        values = json.loads(await _read(request, _MOST_JSON))
    except (_TooLargeError, ValueError, RecursionError):
        values = None
    if not isinstance(values, Mapping):
        return JSONResponse({"error": "The request is not a small JSON object."}, 400)
    return await then(values)


def _refuse(error: Exception, in_words: Callable[[str], str]) -> Response:
    """Returns a sentence for the page; what nobody can act on also goes to the terminal."""
    if isinstance(error, InputError):
        # An answer like others: a status of failure would be an error in the browser's console.
        return JSONResponse({"error": in_words(str(error))})
    sentence = str(error) if isinstance(error, FailedError) else describe_machine_failure(error)
    if sentence is None:
        _log.exception("A request failed", exc_info=error)
        sentence = f"The inspector failed ({type(error).__name__}): the terminal says more."
    return JSONResponse({"error": in_words(sentence)}, 500)
