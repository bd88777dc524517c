"""/status: servers, shards, latency and uptime over all processes and machines."""

from __future__ import annotations

from datetime import timedelta

from redis.exceptions import RedisError

from app.adapters.openai.health import Health, ProviderHealth
from app.adapters.redis.bridge import GatewayBridge, GatewayStats, ShardStatus
from app.errors import UserError
from app.interactions.context import Call
from app.interactions.declare import slash
from app.interactions.embeds import Embed, Field
from app.interactions.replies import Reply
from app.locale.text import Text, joined, t, tn

LINES = 15
"""Shards that are listed; the rest is summed up."""

GREEN, AMBER, RED = 0x3BA55D, 0xFAA61A, 0xED4245

STATES = {
    "ready": t("connected"),
    "resuming": t("coming back"),
    "disconnected": t("coming back"),
    "identifying": t("starting"),
    "closing": t("stopping"),
    "missing": t("not running"),
}


@slash("status", "Show how I am: servers, shards, latency")
async def status(call: Call, *, bridge: GatewayBridge, provider: ProviderHealth) -> Reply:
    """Ask all processes and show what they answer in time; what is missing is said to be missing."""
    try:
        stats = await bridge.stats()
        health = await provider.read()
    except RedisError:
        raise UserError(t("I cannot find out right now. Please try again in a moment.")) from None
    return Reply.private(None, embeds=[_embed(stats, health)])


def _embed(stats: GatewayStats, health: Health | None) -> Embed:
    fields = [
        Field(t("Servers"), tn("{count} server", "{count} servers", stats.guilds), inline=True),
        Field(
            t("Shards"), t("{online} of {total}", online=stats.online, total=stats.total_shards), inline=True
        ),
    ]
    if stats.latency_ms is not None:
        fields.append(
            Field(t("Latency"), t("{milliseconds} ms", milliseconds=round(stats.latency_ms)), inline=True)
        )
    if stats.uptime_s:
        fields.append(
            Field(t("Running for"), t("{time}", time=timedelta(seconds=int(stats.uptime_s))), inline=True)
        )
    if health is not None:
        fields.append(Field(t("Moderation API"), _provider(health)))
    if stats.shards or stats.missing:
        fields.append(Field(t("Shard by shard"), _lines(stats)))
    healthy = stats.total_shards > 0 and stats.online == stats.total_shards
    colour = GREEN if healthy and not stats.partial else AMBER if stats.online else RED
    return Embed(
        title=t("Status"), description=_summary(stats, healthy=healthy), fields=tuple(fields), colour=colour
    )


def _provider(health: Health) -> Text:
    lines: list[Text] = [
        t("It answers.")
        if health.down_since is None
        else t(
            "It has not answered since {time}. Rules work; messages wait for it for ten minutes.",
            time=f"<t:{int(health.down_since.timestamp())}:t>",
        )
    ]
    if health.unscanned:
        lines.append(
            tn(
                "{count} message of today was judged by rules only.",
                "{count} messages of today were judged by rules only.",
                health.unscanned,
            )
        )
    return joined(lines)


def _summary(stats: GatewayStats, *, healthy: bool) -> Text:
    if not stats.processes and not stats.silent:
        return t("The gateway is not running: I answer commands, but do not see messages.")
    if stats.silent:
        return tn(
            "{count} process has not answered in time, so this is not the whole picture.",
            "{count} processes have not answered in time, so this is not the whole picture.",
            stats.silent,
        )
    if healthy:
        return t("Everything is fine.")
    return t(
        "Some shards are not connected at the moment. Messages are not lost: I catch up when they are back."
    )


def _lines(stats: GatewayStats) -> Text:
    missing = [ShardStatus(number, "missing", 0, 0, None, "", 0.0) for number in stats.missing]
    shards = sorted([*stats.shards, *missing], key=lambda shard: shard.id)
    lines = [_line(shard) for shard in shards[:LINES]]
    if (more := len(shards) - LINES) > 0:
        lines.append(tn("… and {count} more", "… and {count} more", more))
    return joined(lines)


def _line(shard: ShardStatus) -> Text:
    state = STATES.get(shard.status, STATES["missing"])
    if shard.latency_ms is None:
        return t("**{shard}**: {state}", shard=str(shard.id), state=state)
    return t(
        "**{shard}**: {state}, {milliseconds} ms, servers: {guilds}",
        shard=str(shard.id),
        state=state,
        milliseconds=round(shard.latency_ms),
        guilds=shard.guilds,
    )
