"""What was sent and what happened: messages of the bot, interactions, REST calls, gateway sessions."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel

from sandbox.admin.context import ChannelRef, Ctx, UserRef
from sandbox.admin.errors import ERROR_ANSWERS
from sandbox.admin.messages import shown_message
from sandbox.interactions.outcome import outcome_of

router = APIRouter(tags=["Inspection"], responses=ERROR_ANSWERS)

Json = dict[str, Any]
Limit = Annotated[int, Query(ge=1, le=1000)]


class Credentials(BaseModel):
    """Ready for the environment of the application."""

    DISCORD_TOKEN: str
    DISCORD_APPLICATION_ID: str
    DISCORD_PUBLIC_KEY: str
    DISCORD_API_BASE: str


class EndpointUrl(BaseModel):
    """Null removes the URL."""

    url: str | None


@router.get("/credentials", tags=["Application"], summary="What the application needs to connect")
async def read_credentials(ctx: Ctx) -> Credentials:
    """Token, application id, public key and REST base, named as the environment variables."""
    application = ctx.world.application
    return Credentials(
        DISCORD_TOKEN=application.token,
        DISCORD_APPLICATION_ID=str(application.id),
        DISCORD_PUBLIC_KEY=application.public_key,
        DISCORD_API_BASE=f"{ctx.sandbox.settings.http_url}/api/v10",
    )


@router.get("/application", tags=["Application"], summary="The application as the portal shows it")
async def read_application(ctx: Ctx) -> Json:
    """Without the token; `notices` is the mail that Discord would have sent to the owner."""
    shown = asdict(ctx.world.application)
    for secret in ("token", "signing_seed"):
        shown.pop(secret)
    for name in ("id", "bot_id", "owner_id"):
        shown[name] = str(shown[name])
    return shown | {"notices": [asdict(notice) for notice in ctx.interactions.endpoint.notices]}


@router.put("/application/interactions-endpoint", tags=["Application"], summary="Save the endpoint URL")
async def save_interactions_endpoint(body: EndpointUrl, ctx: Ctx) -> EndpointUrl:
    """As in the portal: a PING must get {"type": 1}, a badly signed check must get 401; otherwise 400."""
    await ctx.interactions.endpoint.save_interactions_url(body.url)
    return EndpointUrl(url=ctx.world.application.interactions_endpoint_url)


@router.put("/application/event-webhooks", tags=["Application"], summary="Save the webhook events URL")
async def save_event_webhooks(body: EndpointUrl, ctx: Ctx) -> EndpointUrl:
    """Checked like the endpoint URL; switches delivery on and subscribes to (de)authorisations."""
    await ctx.interactions.endpoint.save_webhooks_url(body.url)
    application = ctx.world.application
    application.event_webhooks_status = 2 if body.url else 1
    if body.url and not application.event_webhooks_types:
        application.event_webhooks_types = ["APPLICATION_AUTHORIZED", "APPLICATION_DEAUTHORIZED"]
    ctx.world.save_application()
    return EndpointUrl(url=application.event_webhooks_url)


@router.post("/application/probe", tags=["Application"], summary="Send a badly signed check now")
async def probe(ctx: Ctx) -> Json:
    """An endpoint that does not answer 401 loses its URL."""
    return {"passed": await ctx.interactions.endpoint.probe()}


@router.get("/sent", summary="What the bot sent, by channel, direct message and interaction")
async def read_sent(
    ctx: Ctx,
    channel: ChannelRef | None = None,
    user: Annotated[UserRef | None, Query(description="Only direct messages to this person.")] = None,
    limit: Limit = 100,
) -> Json:
    """The bot's messages that still exist, oldest first; ephemeral ones stand under `interactions`."""
    world = ctx.world
    only = ctx.channel(channel).id if channel is not None else None
    whom = ctx.user(user).id if user is not None else None
    channels: dict[str, list[Json]] = {}
    dms: dict[str, list[Json]] = {}
    for channel_id, history in world.messages.items():
        place = world.channels.get(channel_id)
        mine = [m for m in history.values() if m.author_id == world.bot_id][-limit:]
        if place is None or not mine or (only is not None and channel_id != only):
            continue
        shown = [shown_message(ctx, message) for message in mine]
        if place.guild_id is not None:
            if whom is None:
                channels[str(channel_id)] = shown
            continue
        for recipient in place.recipients:
            if recipient != world.bot_id and whom in {None, recipient}:
                dms[str(recipient)] = shown
    seen: dict[str, Json] = {}
    for exchange in ctx.interactions.exchanges:
        if exchange.kind in {"interaction", "gateway"} and exchange.interaction_id is not None:
            invocation = ctx.interactions.invocations.by_id(int(exchange.interaction_id))
            if invocation is None or (only is not None and invocation.channel_id != only):
                continue
            if whom in {None, invocation.user_id}:
                seen[exchange.interaction_id] = outcome_of(world, invocation).model_dump(exclude={"token"})
    recent = dict(list(seen.items())[-limit:])
    return {"channels": channels, "dms": dms, "interactions": recent}


@router.get("/exchanges", summary="Signed requests and their answers, oldest first")
async def read_exchanges(
    ctx: Ctx,
    kind: str | None = None,
    interaction_id: str | None = None,
    after: Annotated[int, Query(description="Only those with a higher number.")] = 0,
    limit: Limit = 200,
) -> list[Json]:
    """PINGs, checks, interactions, duplicates and webhook events; tokens are masked."""
    found = [
        e.as_json()
        for e in ctx.interactions.exchanges
        if e.number > after and kind in {None, e.kind} and interaction_id in {None, e.interaction_id}
    ]
    return found[-limit:]


@router.get("/rest", summary="REST calls with their buckets, oldest first")
async def read_rest(
    ctx: Ctx,
    method: str | None = None,
    route: Annotated[str | None, Query(description="Part of the route's template.")] = None,
    after: int = 0,
    limit: Limit = 200,
) -> Json:
    """With `query`, `request` and `response`, long texts cut; never a token."""
    found = [
        call.as_json()
        for call in ctx.sandbox.rest_log.calls
        if call.id > after and method in {None, call.method} and (route is None or route in call.route)
    ]
    return {"total": ctx.sandbox.rest_log.total, "calls": found[-limit:]}


@router.get("/gateway", summary="Gateway sessions, counters and what happened to them")
async def read_gateway(ctx: Ctx) -> Json:
    """One row per session: shard, sequence, intents, heartbeat, resumes."""
    return ctx.sandbox.gateway.overview()
