"""Switches for trouble, load, and starting over."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from sandbox.admin.context import Ctx, GuildRef
from sandbox.admin.errors import ERROR_ANSWERS, Refused
from sandbox.admin.reset import reset_world
from sandbox.gateway.load import emit_burst
from sandbox.interactions.trouble import InteractionTrouble
from sandbox.trouble import GatewayKind, GatewayTrouble, RestKind, RestTrouble

router = APIRouter(tags=["Trouble"], responses=ERROR_ANSWERS)

Json = dict[str, Any]


class ChangeInteractionTrouble(BaseModel):
    """Only what is given changes; the fields are those of `InteractionTrouble`."""

    model_config = ConfigDict(extra="allow")


class GatewayAction(BaseModel):
    """Something done to sockets once."""

    action: Literal["drop", "reconnect", "invalid_session", "close", "zombie", "ask_heartbeat"]
    shard: int | None = Field(None, ge=0, description="Null: all.")
    code: int = Field(4000, ge=1000, le=4999, description="For close.")
    resumable: bool = Field(False, description="For invalid_session.")


class Limits(BaseModel):
    """REST limits; null leaves a number as it is."""

    global_per_second: int | None = Field(None, ge=0, description="0 switches the global limit off.")
    scale: float | None = Field(None, ge=0, description="Multiplies route limits; 0 switches them off.")


class Load(BaseModel):
    """Messages of ordinary people over guilds, channels and members in turn."""

    messages: int = Field(ge=1, le=200_000)
    per_second: float = Field(100, ge=0, le=20_000, description="0: as fast as possible.")
    guild: GuildRef | None = None
    contents: list[str] = Field(
        default_factory=list,
        max_length=1000,
        description="Texts used in turn; {n} becomes the message's number. Empty: everyday lines.",
    )


class Reset(BaseModel):
    """What to start over."""

    keep_commands: bool = True


@router.get("/trouble", summary="Which switches are on")
async def read_trouble(ctx: Ctx) -> Json:
    """Those of the interactions side, and the list for REST and gateway; `kinds` says what there is."""
    return {
        "interactions": ctx.interactions.trouble.model_dump(),
        "switches": [_shown(switch) for switch in ctx.sandbox.trouble.switches],
        "limits": {
            "global_per_second": ctx.sandbox.limits.global_limit,
            "scale": ctx.sandbox.limits.scale,
        },
        "kinds": {"rest": [k.value for k in RestKind], "gateway": [k.value for k in GatewayKind]},
    }


@router.patch("/trouble/interactions", summary="Change the switches of the interactions side")
async def change_interaction_trouble(body: ChangeInteractionTrouble, ctx: Ctx) -> InteractionTrouble:
    """Duplicates, lost answers, latency, deadlines, badly signed checks."""
    given = body.model_dump()
    unknown = set(given) - set(InteractionTrouble.model_fields)
    if unknown:
        known = ", ".join(InteractionTrouble.model_fields)
        raise Refused(
            "unknown_switch", f"no switch {', '.join(sorted(unknown))}; there are: {known}", status=400
        )
    try:
        ctx.interactions.trouble = InteractionTrouble.model_validate(
            ctx.interactions.trouble.model_dump() | given
        )
    except ValueError as error:
        raise Refused("invalid_switch", str(error), status=400) from None
    ctx.stream.publish("trouble", {})
    return ctx.interactions.trouble


@router.post("/trouble/rest", status_code=201, summary="Switch trouble on for REST requests")
async def add_rest_trouble(body: RestTrouble, ctx: Ctx) -> Json:
    """429 storms, 5xx, latency, lost answers, Cloudflare blocks."""
    made = ctx.sandbox.trouble.add(body)
    ctx.stream.publish("trouble", {})
    return _shown(made)


@router.post("/trouble/gateway", status_code=201, summary="Switch trouble on for the gateway")
async def add_gateway_trouble(body: GatewayTrouble, ctx: Ctx) -> Json:
    """Zombies, slow acknowledgements, duplicates, disorder, broken and huge frames, refused sockets and sessions."""
    made = ctx.sandbox.trouble.add(body)
    ctx.stream.publish("trouble", {})
    return _shown(made)


@router.delete("/trouble/{switch_id}", status_code=204, summary="Switch one off")
async def remove_trouble(switch_id: int, ctx: Ctx) -> None:
    """By the id that switching it on returned."""
    if not ctx.sandbox.trouble.remove(switch_id):
        raise Refused("unknown_switch", f"no switch {switch_id} is on", status=404)
    ctx.stream.publish("trouble", {})


@router.delete("/trouble", status_code=204, summary="Switch everything off")
async def clear_trouble(ctx: Ctx) -> None:
    """A good day at Discord."""
    ctx.sandbox.trouble.clear()
    ctx.interactions.trouble = InteractionTrouble.model_validate({})
    ctx.stream.publish("trouble", {})


@router.post("/gateway/actions", summary="Do something to gateway sockets once")
async def act_on_gateway(body: GatewayAction, ctx: Ctx) -> Json:
    """Returns how many sockets it hit."""
    gateway = ctx.sandbox.gateway
    match body.action:
        case "drop":
            hit = gateway.drop(body.shard)
        case "reconnect":
            hit = gateway.send_reconnect(body.shard)
        case "invalid_session":
            hit = gateway.send_invalid_session(resumable=body.resumable, shard=body.shard)
        case "close":
            hit = gateway.close(body.code, body.shard)
        case "zombie":
            hit = gateway.make_zombie(body.shard)
        case _:
            hit = gateway.ask_heartbeats(body.shard)
    return {"sockets": hit}


@router.put("/limits", summary="Set the REST limits")
async def set_limits(body: Limits, ctx: Ctx) -> Limits:
    """Discord's documented numbers are the start values; counters begin anew."""
    limits = ctx.sandbox.limits
    if body.global_per_second is not None:
        limits.global_limit = body.global_per_second
    if body.scale is not None:
        limits.scale = body.scale
    limits.reset()
    return Limits(global_per_second=limits.global_limit, scale=limits.scale)


@router.post("/load", tags=["Load"], summary="Let people write many messages")
async def emit_load(body: Load, ctx: Ctx) -> Json:
    """Answers when all are posted."""
    guild_id = ctx.guild(body.guild).id if body.guild is not None else None

    def content(number: int) -> str:
        text = body.contents[number % len(body.contents)]
        return text.replace("{n}", str(number + 1))

    try:
        burst = await emit_burst(
            ctx.world,
            body.messages,
            body.per_second,
            guild_id=guild_id,
            content=content if body.contents else None,
        )
    except ValueError as error:
        raise Refused("nowhere_to_post", str(error), status=400) from None
    except asyncio.CancelledError:
        # Only the server's end cancels a request: whoever waits for the load is told.
        raise Refused("stopping", "the sandbox stops", status=503) from None
    return {
        "posted": burst.posted,
        "seconds": round(burst.seconds, 3),
        "first_id": None if burst.first_id is None else str(burst.first_id),
        "last_id": None if burst.last_id is None else str(burst.last_id),
    }


@router.post("/reset", status_code=204, summary="Start over with the seeded world")
async def reset(ctx: Ctx, body: Reset | None = None) -> None:
    """Credentials and URLs stay; gateway sessions end and have to identify anew."""
    reset_world(ctx.sandbox, ctx.interactions, keep_commands=body is None or body.keep_commands)
    ctx.stream.publish("reset", {})


def _shown(switch: RestTrouble | GatewayTrouble) -> Json:
    side = "rest" if isinstance(switch, RestTrouble) else "gateway"
    return {"side": side, **switch.model_dump(mode="json")}
