"""Where the gateway is, and how many sessions may start (contract section 5.1)."""

from __future__ import annotations

from sandbox.rest.call import Call
from sandbox.rest.declare import Answer, Bucket, route


@route("GET", "/gateway", bucket=Bucket("gateway", 10, 10.0), public=True)
async def get_gateway(call: Call) -> Answer:
    """Get Gateway: the address; needs no token."""
    return Answer(body={"url": call.sandbox.settings.gateway_url})


@route("GET", "/gateway/bot", bucket=Bucket("gateway.bot", 2, 5.0))
async def get_gateway_bot(call: Call) -> Answer:
    """Get Gateway Bot: the address, the recommended number of shards and the starts that are left."""
    return Answer(
        body={
            "url": call.sandbox.settings.gateway_url,
            "shards": call.sandbox.settings.shards,
            "session_start_limit": call.sandbox.gateway.limits.session_start_limit(),
        }
    )


ROUTES = (get_gateway, get_gateway_bot)
