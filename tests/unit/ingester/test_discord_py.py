"""What the ingester touches in discord.py: a new version that changes any of it must be read before it is used."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable
from typing import Any

import discord
import discord.http
import pytest
from discord.client import Client
from discord.gateway import DiscordWebSocket, KeepAliveHandler
from discord.http import HTTPClient
from discord.state import ConnectionState

KNOWN: dict[Callable[..., Any], str] = {
    DiscordWebSocket.__init__: "c0f0c012f971b449",
    DiscordWebSocket.from_client.__func__: "25ac637bdad3134c",
    DiscordWebSocket.identify: "b7aa0609de135393",
    DiscordWebSocket.resume: "2cfb05e643447f77",
    DiscordWebSocket.received_message: "62c9f5ec6596dfef",
    DiscordWebSocket.poll_event: "f0b053464dec87ea",
    DiscordWebSocket._can_handle_close: "1422c2a8d242a936",
    DiscordWebSocket.send_heartbeat: "5606d2db2a284545",
    DiscordWebSocket.request_chunks: "2e6aad0a04b9923e",
    DiscordWebSocket.close: "faca96f43534ee4e",
    KeepAliveHandler.__init__: "9c6e1b1b88e0d735",
    KeepAliveHandler.run: "53616efac183de58",
    KeepAliveHandler.tick: "466d982c8585d361",
    KeepAliveHandler.ack: "d38df23550b7bd8b",
    KeepAliveHandler.beat: "a401333c70501993",
    HTTPClient.static_login: "44c522c43913f3f0",
    HTTPClient.ws_connect: "f4c1be5e34c34265",
    Client._async_setup_hook: "0b392347a5b74a98",
    ConnectionState.call_hooks: "bc2852c496cac4d3",
}


def fingerprint(function: Callable[..., Any]) -> str:
    return hashlib.sha256(inspect.getsource(function).encode()).hexdigest()[:16]


def test_the_version_is_the_one_that_was_read() -> None:
    assert discord.__version__ == "2.7.1"


@pytest.mark.parametrize("function", KNOWN, ids=lambda function: function.__qualname__)
def test_the_sources_are_those_that_were_read(function: Callable[..., Any]) -> None:
    assert fingerprint(function) == KNOWN[function], (
        f"{function.__qualname__} has changed: read it, compare with ingester/discord_gateway.py, then update this"
    )


def test_the_attributes_are_where_they_were() -> None:
    assert isinstance(discord.http.Route.BASE, str)
    client = discord.Client(intents=discord.Intents.none())
    assert isinstance(client._connection.parsers, dict)
    assert {"READY", "MESSAGE_CREATE"} <= client._connection.parsers.keys()
    assert discord.utils._ActiveDecompressionContext.COMPRESSION_TYPE == "zstd-stream"
