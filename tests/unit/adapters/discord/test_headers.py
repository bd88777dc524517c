"""Rate-limit headers, 429 bodies and the audit-log reason."""

from __future__ import annotations

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import __version__
from app.adapters.discord import routes
from app.adapters.discord.headers import audit_log_reason, bucket_of, outcome_of
from app.adapters.discord.slots import Bucket, Scope
from app.errors import ConfigurationError
from app.settings import Settings

HEADERS = {
    "x-ratelimit-bucket": "abcd1234",
    "x-ratelimit-limit": "5",
    "x-ratelimit-remaining": "3",
    "x-ratelimit-reset-after": "4.25",
}
MESSAGE = routes.DELETE_MESSAGE.at(channel_id=1, message_id=2)
FOLLOWUP = routes.EXECUTE_WEBHOOK.at(webhook_id=1, webhook_token="secret")
CALLBACK = routes.CREATE_INTERACTION_RESPONSE.at(interaction_id=1, interaction_token="secret")


def test_a_bucket_is_read_from_its_four_headers() -> None:
    assert bucket_of(HEADERS) == Bucket("abcd1234", 5, 3, 4.25)


@pytest.mark.parametrize(
    "changes",
    [
        {"x-ratelimit-bucket": ""},
        {"x-ratelimit-limit": "many"},
        {"x-ratelimit-limit": "0"},
        {"x-ratelimit-remaining": "-1"},
        {"x-ratelimit-remaining": "6"},
        {"x-ratelimit-reset-after": "nan"},
        {"x-ratelimit-reset-after": "inf"},
        {"x-ratelimit-reset-after": "-2"},
    ],
)
def test_headers_without_sense_are_no_bucket(changes) -> None:
    assert bucket_of(HEADERS | changes) is None


@pytest.mark.parametrize("missing", HEADERS)
def test_a_missing_header_is_no_bucket(missing) -> None:
    assert bucket_of({k: v for k, v in HEADERS.items() if k != missing}) is None


TOO_MANY = [
    # target, headers, body -> scope, retry after, counts as a bad answer
    (
        MESSAGE,
        {"x-ratelimit-scope": "user", "retry-after": "2"},
        {"retry_after": 1.3, "global": False},
        Scope.USER,
        1.3,
        True,
    ),
    (
        MESSAGE,
        {"x-ratelimit-scope": "shared"},
        {"retry_after": 64.5, "global": False},
        Scope.SHARED,
        64.5,
        False,
    ),
    (MESSAGE, {"x-ratelimit-scope": "global"}, {"retry_after": 0.4, "global": True}, Scope.GLOBAL, 0.4, True),
    (MESSAGE, {"x-ratelimit-global": "true"}, {"retry_after": 0.4}, Scope.GLOBAL, 0.4, True),
    (MESSAGE, {}, {"retry_after": 0.4, "global": True}, Scope.GLOBAL, 0.4, True),
    (MESSAGE, {}, {"retry_after": 0.4, "global": False}, Scope.USER, 0.4, True),
    (MESSAGE, {"retry-after": "600"}, None, Scope.EDGE, 600.0, True),
    (MESSAGE, {"retry-after": "7"}, {"retry_after": "soon"}, Scope.USER, 7.0, True),
    (MESSAGE, {}, {"retry_after": None}, Scope.USER, 1.0, True),
    (FOLLOWUP, {"x-ratelimit-scope": "global"}, {"retry_after": 0.4, "global": True}, Scope.USER, 0.4, True),
]


@pytest.mark.parametrize(("target", "headers", "body", "scope", "retry_after", "bad"), TOO_MANY)
def test_what_a_429_means(target, headers, body, scope, retry_after, bad) -> None:
    outcome = outcome_of(target, 429, headers, body)
    assert (outcome.scope, outcome.retry_after, outcome.bad) == (scope, retry_after, bad)
    assert not outcome.answered


STATUSES = [
    (200, None, True, False),
    (204, None, True, False),
    (400, {"code": 50035}, True, False),
    (401, {"code": 0}, False, True),
    (403, {"code": 50013}, True, True),
    (404, {"code": 10008}, True, False),
    (500, None, False, False),
    (502, None, False, False),
]


@pytest.mark.parametrize(("status", "body", "answered", "bad"), STATUSES)
def test_which_answers_count_as_bad(status, body, answered, bad) -> None:
    outcome = outcome_of(MESSAGE, status, HEADERS, body)
    assert (outcome.answered, outcome.bad, outcome.scope) == (answered, bad, None)


GONE = [
    (FOLLOWUP, 404, {"code": 10015}, True),
    (FOLLOWUP, 401, {"code": 50027}, True),
    (FOLLOWUP, 404, None, True),
    (FOLLOWUP, 404, {"code": 10008}, False),
    (FOLLOWUP, 404, {"code": 10003}, False),
    (FOLLOWUP, 400, {"code": 50035}, False),
    (FOLLOWUP, 200, {"id": "1"}, False),
    (CALLBACK, 404, {"code": 10062}, False),
    (MESSAGE, 404, {"code": 10015}, False),
]


@pytest.mark.parametrize(("target", "status", "body", "gone"), GONE)
def test_which_answers_end_a_webhook(target, status, body, gone) -> None:
    assert outcome_of(target, status, {}, body).webhook_gone is gone


REASONS = [
    ("spam", "spam"),
    ("two words", "two%20words"),
    ("größer", "gr%C3%B6%C3%9Fer"),
    ("a\r\nX-Evil: 1", "a%20X-Evil%3A%201"),
    ("  ", ""),
    ("x" * 600, "x" * 512),
    ("ö" * 100, "%C3%B6" * 85),
    ("x" * 511 + "😀", "x" * 511),
]


@pytest.mark.parametrize(("reason", "header"), REASONS)
def test_a_reason_is_encoded_and_cut_between_characters(reason, header) -> None:
    assert audit_log_reason(reason) == header


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=700))
def test_any_reason_fits_and_decodes_to_a_beginning_of_itself(reason) -> None:
    header = audit_log_reason(reason)
    assert len(header) <= 512
    assert header.isascii()
    assert " ".join(reason.split()).startswith(unquote(header, errors="strict"))


INSTALL = "https://discord.com/oauth2/authorize"
AGENTS = [
    ({}, INSTALL),
    ({"DISCORD_APPLICATION_ID": "11"}, f"{INSTALL}?client_id=11"),
    (
        {"DISCORD_APPLICATION_ID": "11", "BOT_URL": "https://bot.example.org/about"},
        "https://bot.example.org/about",
    ),
]


@pytest.mark.parametrize(("environment", "url"), AGENTS)
def test_the_user_agent_has_the_form_that_discord_asks_for(environment, url) -> None:
    assert Settings.from_environment(environment).user_agent == f"DiscordBot ({url}, {__version__})"


@pytest.mark.parametrize(
    "url", ["bot.example.org", "https://a b", "https://a)b", "https://a\r\nX: y", "https://ü"]
)
def test_a_url_that_no_header_can_hold_is_refused_by_name(url) -> None:
    with pytest.raises(ConfigurationError, match="BOT_URL"):
        Settings.from_environment({"BOT_URL": url})
