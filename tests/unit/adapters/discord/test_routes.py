"""The table of routes, and which calls share a bucket."""

from __future__ import annotations

import pytest

from app.adapters.discord import routes
from app.adapters.discord.priority import Priority

TOKEN = "aW50ZXJhY3Rpb246c2VjcmV0"

SAME_BUCKET_KEY = [
    # route, ids of two calls, whether their top-level resource is the same
    ("DELETE_MESSAGE", {"channel_id": 1, "message_id": 10}, {"channel_id": 1, "message_id": 11}, True),
    ("DELETE_MESSAGE", {"channel_id": 1, "message_id": 10}, {"channel_id": 2, "message_id": 10}, False),
    ("MODIFY_GUILD_MEMBER", {"guild_id": 1, "user_id": 10}, {"guild_id": 1, "user_id": 11}, True),
    ("MODIFY_GUILD_MEMBER", {"guild_id": 1, "user_id": 10}, {"guild_id": 2, "user_id": 10}, False),
    (
        "ADD_GUILD_MEMBER_ROLE",
        {"guild_id": 1, "user_id": 2, "role_id": 3},
        {"guild_id": 1, "user_id": 4, "role_id": 5},
        True,
    ),
    ("GET_USER", {"user_id": 1}, {"user_id": 2}, True),
    ("LEAVE_GUILD", {"guild_id": 1}, {"guild_id": 2}, False),
    (
        "EXECUTE_WEBHOOK",
        {"webhook_id": 1, "webhook_token": "a"},
        {"webhook_id": 1, "webhook_token": "b"},
        False,
    ),
    (
        "EDIT_WEBHOOK_MESSAGE",
        {"webhook_id": 1, "webhook_token": "a", "message_id": 5},
        {"webhook_id": 1, "webhook_token": "a", "message_id": 6},
        True,
    ),
    (
        "CREATE_INTERACTION_RESPONSE",
        {"interaction_id": 1, "interaction_token": "a"},
        {"interaction_id": 2, "interaction_token": "b"},
        False,
    ),
    ("GET_GLOBAL_COMMANDS", {"application_id": 1}, {"application_id": 2}, True),
    (
        "BULK_OVERWRITE_GUILD_COMMANDS",
        {"application_id": 1, "guild_id": 1},
        {"application_id": 1, "guild_id": 2},
        False,
    ),
]


@pytest.mark.parametrize(("name", "one", "other", "same"), SAME_BUCKET_KEY)
def test_only_top_level_resources_set_buckets_apart(name, one, other, same) -> None:
    route = getattr(routes, name)
    assert (route.at(**one).top_level == route.at(**other).top_level) is same


@pytest.mark.parametrize("route", routes.ROUTES, ids=lambda route: route.name)
def test_a_route_carries_a_token_in_its_path_exactly_if_it_is_a_webhook_or_interaction_route(route) -> None:
    assert route.has_token == route.template.startswith(("/webhooks/", "/interactions/"))
    if route.has_token:
        assert route.priority is Priority.INTERACTION


@pytest.mark.parametrize("route", routes.ROUTES, ids=lambda route: route.name)
def test_only_posts_and_nothing_else_may_be_unrepeatable(route) -> None:
    assert route.idempotent or route.method == "POST"


def test_no_route_is_listed_twice() -> None:
    names = [route.name for route in routes.ROUTES]
    assert len(names) == len(set(names))


def test_tokens_appear_in_the_path_only() -> None:
    target = routes.EXECUTE_WEBHOOK.at(webhook_id=1, webhook_token=TOKEN)
    assert TOKEN in target.path
    for shown in (target.route.name, target.top_level, target.webhook or ""):
        assert TOKEN not in shown


def test_an_interaction_and_its_follow_ups_are_known_by_the_same_token() -> None:
    callback = routes.CREATE_INTERACTION_RESPONSE.at(interaction_id=1, interaction_token=TOKEN)
    followup = routes.EXECUTE_WEBHOOK.at(webhook_id=9, webhook_token=TOKEN)
    assert callback.webhook == followup.webhook is not None


@pytest.mark.parametrize(
    ("value", "path"),
    [("👍", "%F0%9F%91%8D"), ("name:12", "name%3A12"), ("a/../b", "a%2F..%2Fb"), ("x?y#z", "x%3Fy%23z")],
)
def test_ids_cannot_leave_their_place_in_the_path(value, path) -> None:
    target = routes.CREATE_REACTION.at(channel_id=1, message_id=2, emoji=value)
    assert target.path == f"/channels/1/messages/2/reactions/{path}/@me"


@pytest.mark.parametrize("ids", [{}, {"channel_id": 1}, {"channel_id": 1, "message_id": 2, "user_id": 3}])
def test_a_path_needs_exactly_its_ids(ids) -> None:
    with pytest.raises(ValueError, match="needs"):
        routes.DELETE_MESSAGE.at(**ids)
