"""Signed interaction requests as Discord sends them: realistic size, every id, token and user distinct."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from typing import Any

import orjson
from nacl.signing import SigningKey

APPLICATION_ID = 1189273640018743336
_EPOCH_MS = 1_420_070_400_000
_FEATURES = [
    "COMMUNITY", "NEWS", "INVITE_SPLASH", "WELCOME_SCREEN_ENABLED", "ANIMATED_ICON", "AUTO_MODERATION",
    "MEMBER_VERIFICATION_GATE_ENABLED", "ROLE_ICONS", "SOUNDBOARD",
]  # fmt: skip


class Requests:
    """Makes requests for one key; each interaction comes from another user in another guild."""

    def __init__(self, key: SigningKey, seed: int = 1) -> None:
        self._key = key
        self._random = random.Random(seed)
        self._serial = 0

    def snowflake(self) -> int:
        """An id from a minute ahead: requests are made before they are sent, and /ping shows an id's age."""
        self._serial += 1
        return (int(time.time() * 1000) + 60_000 - _EPOCH_MS << 22) + (self._serial & 0x3FFFFF)

    def interaction(self, kind: int, data: dict[str, Any] | None = None) -> dict[str, Any]:
        """One interaction of about 2.6 kB: 1 PING, 2 command, 3 component, 4 autocomplete, 5 modal."""
        user, guild, channel = (str(self._random.randrange(10**17, 10**18)) for _ in range(3))
        if kind == 1:
            return {"type": 1, "id": str(self.snowflake()), "application_id": str(APPLICATION_ID), "version": 1}
        return {
            "app_permissions": "2222085186637376", "application_id": str(APPLICATION_ID),
            "attachment_size_limit": 10485760, "authorizing_integration_owners": {"0": guild},
            "channel": {
                "flags": 0, "guild_id": guild, "icon_emoji": {"id": None, "name": "👋"}, "id": channel,
                "last_message_id": channel, "last_pin_timestamp": "2026-10-30T19:20:11+00:00", "name": "bot-commands",
                "nsfw": False, "parent_id": guild, "permissions": "2222085186637376", "position": 3,
                "rate_limit_per_user": 0, "theme_color": None, "topic": "Commands only — see <#1046213959422672966>",
                "type": 0,
            },
            "channel_id": channel, "context": 0, "data": data, "entitlement_sku_ids": [], "entitlements": [],
            "guild": {"features": _FEATURES, "id": guild, "locale": "en-US"}, "guild_id": guild,
            "guild_locale": "en-US", "id": str(self.snowflake()), "locale": "it",
            "member": {
                "avatar": None, "banner": None, "collectibles": None, "communication_disabled_until": None,
                "deaf": False, "display_name_styles": None, "flags": 10,
                "joined_at": "2023-11-04T17:42:08.913000+00:00", "mute": False, "nick": "zoë (EU/raid)",
                "pending": False, "permissions": "2222085186637376",
                "premium_since": "2024-06-01T08:12:45.201000+00:00",
                "roles": [str(1046225143416901642 + n) for n in range(5)], "unusual_dm_activity_until": None,
                "user": {
                    "avatar": "a_8f3c9b1de0a94c5bb1f0d7c6e2a15f37",
                    "avatar_decoration_data": {
                        "asset": "a_10b9f886b513b77ccdd67c8784f1a496", "expires_at": None,
                        "sku_id": "1144058844004233369",
                    },
                    "collectibles": {"nameplate": {
                        "asset": "nameplates/nameplates/twilight/", "label": "COLLECTIBLES_TWILIGHT_NP_A11Y",
                        "palette": "cobalt", "sku_id": "1349849614198505602",
                    }},
                    "clan": None, "discriminator": "0", "display_name_styles": None,
                    "global_name": "Zoë ✨ Marchetti", "id": user,
                    "primary_guild": {
                        "badge": "f1a2d0c4bb5e4a3f9a1cf4be05b0c7d8", "identity_enabled": True,
                        "identity_guild_id": guild, "tag": "WOLF",
                    },
                    "public_flags": 4194368, "username": "zoe.marchetti",
                },
            },
            "token": self._random.randbytes(116).hex(), "type": kind, "version": 1,
        }  # fmt: skip

    def ping_command(self) -> bytes:
        """The body of `/ping`."""
        data = {"id": "1189280117546917901", "name": "ping", "type": 1}
        return orjson.dumps(self.interaction(2, data), option=orjson.OPT_SORT_KEYS)

    def sign(self, body: bytes) -> tuple[str, str]:
        """Return the two header values: signature and timestamp."""
        timestamp = str(int(time.time()))
        return self._key.sign(timestamp.encode() + body).signature.hex(), timestamp

    def http(self, path: str, body: bytes) -> bytes:
        """Return the whole request as it goes over the wire."""
        signature, timestamp = self.sign(body)
        head = (
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            "User-Agent: Discord-Interactions/1.0 (+https://discord.com)\r\nAccept-Encoding: gzip, deflate\r\n"
            f"Content-Type: application/json\r\nX-Signature-Ed25519: {signature}\r\n"
            f"X-Signature-Timestamp: {timestamp}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    def commands(self, count: int, path: str) -> Iterator[bytes]:
        """Yield that many signed `/ping` requests."""
        for _ in range(count):
            yield self.http(path, self.ping_command())
