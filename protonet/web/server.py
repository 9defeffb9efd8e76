"""The application: API, documentation, error handlers, and the guard."""

from __future__ import annotations

import gc
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

import protonet
from protonet.errors import (
    DataError,
    DeviceError,
    FormatError,
    NetworkError,
    NoJobError,
    ProtonetError,
    TrainingError,
    UsageError,
)
from protonet.formats.atomic import write_atomic
from protonet.jobs.checks.network_report import mistake_json
from protonet.web.api import error_response, make_api
from protonet.web.checks import BusyError
from protonet.web.explorer import add_explorer
from protonet.web.forms import form_errors
from protonet.web.guard import Guard, Rules, is_local
from protonet.web.openapi import as_3_0
from protonet.web.site import Site
from protonet.web.workspace import Workspace

_STATUS: dict[type[ProtonetError], int] = {
    BusyError: 429,
    UsageError: 400,
    NetworkError: 422,
    DataError: 422,
    FormatError: 422,
    DeviceError: 409,
    TrainingError: 409,
}
_LOCAL = ("localhost", "127.0.0.1", "[::1]")


class _Described(FastAPI):
    """An API with a description for the bundled explorer."""

    def openapi(self) -> dict[str, Any]:
        """The description, generated at the first call."""
        if self.openapi_schema is None:
            self.openapi_schema = as_3_0(super().openapi())
        return self.openapi_schema


def create_app(site: Site) -> FastAPI:
    """The API with its documentation, without guard and page."""

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        site.start()
        yield
        site.close()

    app = _Described(
        title="protonet",
        version=protonet.__version__,
        summary="Data sets, networks, trainings and tests, as the page has them.",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
        lifespan=life,
    )
    app.include_router(make_api(site))
    _add_errors(app)
    add_explorer(app)
    return app


def serve(
    folder: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8080,
    allowed: tuple[Path, ...] = (),
    limits: Any = None,
    announce: Any = print,
) -> None:
    """Serve the page from a workspace until a signal arrives.

    Args:
        folder: the workspace, created if it does not exist.
        host: the address to listen on; any but a loopback address requires the token.
        port: the port to listen on.
        allowed: folders whose files may be used, in addition to the workspace.
        limits: limits of requests and trainings.
        announce: called with the URL to open.
    """
    workspace = Workspace.open(folder, allowed, limits)
    with workspace.held(_url(host, port)):
        _check_free(host, port)
        _serve(workspace, host, port, announce)


def _serve(workspace: Workspace, host: str, port: int, announce: Any) -> None:
    import uvicorn

    from protonet.web.idle_timeout import IdleTimeoutProtocol
    from protonet.web.page import add_pages

    token = None if is_local(host) else _token(workspace)
    site = Site(workspace)
    site.checks.warm(workspace)
    app = create_app(site)
    add_pages(app, site, _secret(workspace))
    hosts = frozenset((*_LOCAL, host) if is_local(host) else (*_LOCAL, *_own_names(host)))
    guarded = Guard(app, Rules(hosts, token, workspace.limits.upload))
    gc.collect()
    gc.freeze()  # what is loaded stays: collections look at what requests have left behind
    announce(_url(host, port) + (f"?token={token}" if token else ""))
    uvicorn.run(
        guarded, host=host, port=port, http=IdleTimeoutProtocol, log_level="warning",
        server_header=False, timeout_graceful_shutdown=2, ws_max_size=limits_of(workspace),
    )  # fmt: skip


def _url(host: str, port: int) -> str:
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"


def _check_free(host: str, port: int) -> None:
    """Raise UsageError if the address is not available, before anything is started."""
    import socket

    kind = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        raise UsageError(
            f"cannot listen on {host}, port {port}: {error.strerror or error}; choose another "
            "--host or --port"
        ) from error


def limits_of(workspace: Workspace) -> int:
    """Maximal bytes of a websocket message of the page: a pasted text, in any encoding."""
    return 4 * workspace.limits.text + (1 << 20)


def _own_names(host: str) -> tuple[str, ...]:
    """The host names of this machine."""
    import socket

    name = socket.gethostname()
    found = {host, name.lower(), socket.getfqdn().lower()}
    with suppress(OSError):
        found |= {str(each[4][0]) for each in socket.getaddrinfo(name, None)}
    return tuple(f"[{each}]" if ":" in each else each for each in found)


def _token(workspace: Workspace) -> str:
    return _kept(workspace.folder / "token")


def _secret(workspace: Workspace) -> str:
    return _kept(workspace.folder / "secret")


def _kept(path: Path) -> str:
    """A secret that persists between servers, readable only by its owner."""
    if not path.exists():
        write_atomic(path, secrets.token_urlsafe(24).encode())
        path.chmod(0o600)
    return path.read_text().strip()


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(ProtonetError)
    def of_a_user(_: Request, error: ProtonetError) -> Response:
        status = next((s for kind, s in _STATUS.items() if isinstance(error, kind)), 400)
        if isinstance(error, NoJobError):
            status = 404
        mistakes = [mistake_json(each) for each in getattr(error, "mistakes", ())]
        return error_response(status, str(error), mistakes)

    @app.exception_handler(RequestValidationError)
    def of_a_form(_: Request, error: RequestValidationError) -> Response:
        return error_response(422, form_errors(error.errors()))

    @app.exception_handler(HTTPException)
    def of_http(_: Request, error: HTTPException) -> Response:
        return error_response(error.status_code, str(error.detail))
