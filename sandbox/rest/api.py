"""The way of a REST request: version, user agent, authentication, limits, body, permission, answer, log."""

from __future__ import annotations

import asyncio
import math
import re
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import orjson
import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import compile_path
from starlette.types import Receive, Scope, Send

from sandbox.interactions.rules.form import InvalidForm
from sandbox.rest.body import read_body
from sandbox.rest.call import Call, read_snowflake
from sandbox.rest.declare import NO_CONTENT, TOP_LEVEL, Answer, Route
from sandbox.rest.errors import ApiError, invalid_form, plain, refused, unknown
from sandbox.rest.limits import Verdict
from sandbox.rest.log import LoggedCall, redact
from sandbox.trouble import RestKind, RestTrouble
from sandbox.world import Unknown

if TYPE_CHECKING:
    from sandbox.instance import Sandbox

VERSIONS = {"v9", "v10"}
"""v9 answers as v10 does; anything else is refused."""

MAX_REASON = 512
_DOCUMENTED_AGENT = re.compile(r"^DiscordBot \(\S+, ?[^)]+\)")
_REFUSED_AGENTS = re.compile(
    r"^(|DiscordBot.*|Python-urllib/.*|Java/.*|libwww-perl/.*|PycURL/.*)$", re.DOTALL
)
"""What Discord's edge is known to refuse; a `DiscordBot` that has the documented form is let through first.
"""

_DISCORD_PY_AGENT = re.compile(r"^DiscordBot \(\S+ [^)]+\)")
log = structlog.get_logger("sandbox.rest")


class Dropped(Exception):
    """The connection is to be closed without an answer."""


class RestApi:
    """An ASGI application for everything under /api."""

    def __init__(self, sandbox: Sandbox, routes: Iterable[Route]) -> None:
        self._sandbox = sandbox
        self._table: dict[str, tuple[re.Pattern[str], dict[str, Route]]] = {}
        for route in sorted(routes, key=lambda r: r.template.count("{")):  # literal segments win
            _, methods = self._table.setdefault(route.template, (compile_path(route.template)[0], {}))
            if route.method in methods:
                raise ValueError(f"{route.name} is declared twice")
            methods[route.method] = route

    @property
    def routes(self) -> list[Route]:
        """All declared routes."""
        return [route for _pattern, methods in self._table.values() for route in methods.values()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        exchange = _Exchange(self, self._sandbox, Request(scope, receive))
        try:
            response = await exchange.run()
        except Dropped:
            abort = scope.get("extensions", {}).get("sandbox.abort")
            if abort is None:
                raise
            abort()
            return
        except ClientDisconnect:
            return
        await response(scope, receive, send)

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        """Return the route and its raw path parameters. Raises 404 and 405 as Discord words them."""
        allowed = False
        for pattern, methods in self._table.values():
            match = pattern.match(path)
            if match is None:
                continue
            route = methods.get(method)
            if route is not None:
                return route, match.groupdict()
            allowed = True
        raise plain(405 if allowed else 404)


class _Exchange:
    """One request on its way to one answer."""

    def __init__(self, api: RestApi, sandbox: Sandbox, request: Request) -> None:
        self.api = api
        self.sandbox = sandbox
        self.request = request
        self.started = time.perf_counter()
        self.headers: dict[str, str] = {"Via": "1.1 google"}
        self.ip = request.client.host if request.client is not None else "unknown"
        self.route: Route | None = None
        self.call: Call | None = None
        self.identity = "none"
        self.trouble: list[str] = []
        self.shared = False

    async def run(self) -> Response:
        blocked = self.sandbox.limits.blocked_for(self.ip)
        if blocked is not None:
            return self._cloudflare(blocked)
        try:
            answer = await self._answer()
            status, body = answer.status, answer.body
        except ApiError as error:
            status, body = error.status, error.body
            self.headers |= error.headers
        except InvalidForm as error:
            status, body = 400, error.body()
        except Unknown as error:
            wrapped = unknown(error)
            status, body = wrapped.status, wrapped.body
        except (_Page, Dropped) as special:
            self._log(special.status if isinstance(special, _Page) else 0, None)
            if isinstance(special, Dropped):
                raise
            return special.response(self)
        except ClientDisconnect:
            raise
        except Exception:
            log.exception("the sandbox failed to answer", route=self.route.name if self.route else None)
            status, body = 500, plain(500).body
        if status in {401, 403} or (status == 429 and not self.shared):
            self.sandbox.limits.note_invalid(self.ip)
        self._log(status, body)
        if status == 204:
            return Response(status_code=204, headers=self.headers)
        content = orjson.dumps(body, option=orjson.OPT_NON_STR_KEYS)
        return Response(content, status, self.headers, "application/json")

    async def _answer(self) -> Answer:
        path = self._below_version()
        self._check_agent()
        route, raw = self.api.find(self.request.method, path)
        self.route = route
        is_bot = self._authenticate(route)
        params = _path_ids(raw)
        lost = await self._make_trouble(route)
        self._limit(route, raw)
        body, files = await read_body(self.request)
        self.call = Call(
            sandbox=self.sandbox,
            route=route,
            params=params,
            query=self.request.query_params,
            headers=self.request.headers,
            body=body,
            files=files,
            reason=self._reason(),
            ip=self.ip,
            is_bot=is_bot,
        )
        answer = await route.handler(self.call)
        if lost:
            raise Dropped
        return answer or NO_CONTENT

    def _below_version(self) -> str:
        path = str(self.request.scope["path"]).removeprefix("/api/")
        version, _, rest = path.partition("/")
        if version not in VERSIONS:
            raise refused(50041) if re.fullmatch(r"v\d+", version) else plain(404)
        return "/" + rest

    def _check_agent(self) -> None:
        agent = self.request.headers.get("user-agent", "")
        if _DOCUMENTED_AGENT.match(agent) or _DISCORD_PY_AGENT.match(agent):
            return
        if self.sandbox.settings.user_agent == "strict" or _REFUSED_AGENTS.match(agent):
            raise refused(40333)

    def _authenticate(self, route: Route) -> bool:
        header = self.request.headers.get("authorization")
        token = self.sandbox.world.application.token
        is_bot = header == f"Bot {token}"
        self.identity = "bot" if is_bot else f"ip:{self.ip}"
        if not (route.public or route.token_in_path) and not is_bot:
            raise plain(401)
        return is_bot

    async def _make_trouble(self, route: Route) -> bool:
        lost = False
        for switch in self.sandbox.trouble.for_request(route.name):
            self.trouble.append(switch.kind)
            match switch.kind:
                case RestKind.LATENCY:
                    await asyncio.sleep(switch.milliseconds / 1000)
                case RestKind.SERVER_ERROR:
                    raise _Page(switch.status)
                case RestKind.RATE_LIMIT:
                    raise self._stormy(switch)
                case RestKind.CLOUDFLARE:
                    raise _Page(429, switch.retry_after)
                case RestKind.LOST_ANSWER:
                    lost = True
        return lost

    def _stormy(self, switch: RestTrouble) -> ApiError:
        self.shared = switch.scope == "shared"
        return _limited(switch.retry_after, switch.scope)

    def _limit(self, route: Route, raw: dict[str, str]) -> None:
        limits = self.sandbox.limits
        if not route.token_in_path:
            wait = limits.take_global(self.identity)
            if wait is not None:
                raise _limited(wait, "global")
        resource = "/".join(raw[name] for name in TOP_LEVEL if name in raw)
        identity = "token" if route.token_in_path else self.identity
        verdict: Verdict = limits.take(identity, route.bucket, resource)
        self.headers |= verdict.headers(time.time())
        if verdict.retry_after is not None:
            raise _limited(verdict.retry_after, "user")

    def _reason(self) -> str | None:
        header = self.request.headers.get("x-audit-log-reason")
        if not header:
            return None
        reason = unquote(header)
        if len(reason) > MAX_REASON:
            raise invalid_form(
                "X-Audit-Log-Reason",
                code="BASE_TYPE_BAD_LENGTH",
                message=f"Must be between 1 and {MAX_REASON} in length.",
            )
        return reason

    def _cloudflare(self, seconds: float) -> Response:
        self._log(429, None)
        headers = {"Retry-After": str(math.ceil(seconds))}
        return Response("error code: 1015", 429, headers, "text/plain")

    def _log(self, status: int, body: Any) -> None:
        name = self.route.template if self.route is not None else self.request.url.path
        private = self.route is not None and self.route.token_in_path
        bucket = {k: v for k, v in self.headers.items() if k.startswith(("X-RateLimit", "Retry"))}
        self.sandbox.rest_log.add(
            LoggedCall(
                id=self.sandbox.rest_log.next_id(),
                at_ms=self.sandbox.world.clock(),
                method=self.request.method,
                route=name,
                path=name if private else self.request.url.path,
                status=status,
                seconds=time.perf_counter() - self.started,
                identity=self.identity,
                reason=self.call.reason if self.call is not None else None,
                bucket=bucket,
                query=redact(dict(self.request.query_params)),
                request=redact(self.call.body) if self.call is not None else None,
                response=redact(body),
                files=[f.filename for f in self.call.files] if self.call is not None else [],
                trouble=self.trouble,
            )
        )


class _Page(Exception):
    """An answer that does not come from the API but from what stands before it."""

    def __init__(self, status: int, retry_after: float = 0) -> None:
        super().__init__(status)
        self.status = status
        self.retry_after = retry_after

    def response(self, exchange: _Exchange) -> Response:
        if self.status == 429:
            headers = {"Retry-After": str(math.ceil(self.retry_after))}
            return Response("error code: 1015", 429, headers, "text/plain")
        page = f"<html><head><title>{self.status}</title></head><body><h1>{self.status}</h1></body></html>"
        return Response(page, self.status, exchange.headers, "text/html")


def _path_ids(raw: dict[str, str]) -> dict[str, int | str]:
    return {
        name: read_snowflake(name, value) if name.endswith("_id") else value for name, value in raw.items()
    }


def _limited(seconds: float, scope: str) -> ApiError:
    headers = {"Retry-After": str(math.ceil(seconds)), "X-RateLimit-Scope": scope}
    if scope == "global":
        headers["X-RateLimit-Global"] = "true"
    message = "The resource is being rate limited." if scope == "shared" else "You are being rate limited."
    error = ApiError(429, 0, message, headers=headers)
    error.extra = {"retry_after": round(seconds, 3), "global": scope == "global"}
    return error
