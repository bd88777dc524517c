"""Discord's error bodies become errors that can be caught by kind, by Discord's code and by our E-code."""

from __future__ import annotations

import pytest

from app import errors as app_errors
from app.adapters.discord import errors

CODES = [
    (404, 10008, errors.NotFound),
    (404, 10026, errors.NotFound),
    (404, 10062, errors.UnknownInteraction),
    (404, 10015, errors.UnknownWebhook),
    (401, 50027, errors.UnknownWebhook),
    (403, 50001, errors.PermissionsRefused),
    (403, 50013, errors.PermissionsRefused),
    (403, 50007, errors.CannotMessageUser),
    (400, 50278, errors.CannotMessageUser),
    (403, 60003, errors.SecondFactorNeeded),
    (400, 50035, errors.InvalidRequest),
    (400, 50034, errors.MessagesTooOld),
    (400, 40060, errors.AlreadyAcknowledged),
    (400, 40094, errors.FollowupLimit),
    (400, 200000, errors.ContentBlocked),
    (400, 500000, errors.NobodyBanned),
    (400, 30034, errors.QuotaReached),
    (403, 99999, errors.Forbidden),
    (404, 99999, errors.NotFound),
    (400, 99999, errors.DiscordRefused),
]


@pytest.mark.parametrize(("status", "code", "kind"), CODES)
def test_discords_codes_have_their_errors(status, code, kind) -> None:
    error = errors.refusal("GET /x", status, {"code": code, "message": "no"})
    assert type(error) is kind
    assert (error.status, error.discord_code, error.problem) == (status, code, "no")


def test_missing_permissions_carry_the_operators_code() -> None:
    error = errors.refusal(
        "PUT /guilds/{guild_id}/bans/{user_id}", 403, {"code": 50013, "message": "Missing"}
    )
    assert isinstance(error, app_errors.MissingPermissions)
    assert error.for_operator().startswith("E006: PUT /guilds/{guild_id}/bans/{user_id}: 403")


@pytest.mark.parametrize("body", [None, [], "text", {}, {"code": "x", "message": None}, {"errors": [1]}])
def test_any_body_makes_an_error(body) -> None:
    error = errors.refusal("GET /x", 400, body)
    assert (error.discord_code, error.problem, error.fields) == (0, "no message", {})


def test_invalid_fields_are_named_by_their_path() -> None:
    body = {
        "code": 50035,
        "message": "Invalid Form Body",
        "errors": {
            "_errors": [{"code": "A", "message": "whole"}],
            "embeds": {
                "0": {"title": {"_errors": [{"code": "BASE_TYPE_MAX_LENGTH", "message": "too long"}]}}
            },
        },
    }
    error = errors.refusal("POST /x", 400, body)
    assert error.fields == {"(body)": "whole", "embeds.0.title": "too long"}
    assert "embeds.0.title: too long" in str(error)


def test_the_other_errors_have_their_codes() -> None:
    assert errors.DiscordUnreachable("GET /x", "no answer").code == "E001"
    assert errors.LoggedOut("GET /x").code == "E002"
    late = errors.RateLimited("GET /x", "the global limit", wait=3.21, deadline=1.0)
    assert (late.code, late.wait) == ("E003", 3.21)
    assert "3.2 s" in str(late)
