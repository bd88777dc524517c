from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from app.features.moderation.models import Severity
from app.features.moderation.rules.kind import InvalidRule, Sample, kinds
from app.features.moderation.rules.kinds.emoji import count_emoji
from app.features.moderation.rules.kinds.invites import InviteSettings, _Invites
from app.features.moderation.text.view import TextView
from tests.unit.moderation.rule_samples import GUILD, NOW, guild_of, id_at, judge, message, stored


def hit(kind: str, settings: dict[str, Any], text: Any) -> bool:
    return judge(kind, settings, text) is not None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("join discord.gg/abc123", True),
        ("join DISCORD . GG / abc123", True),
        ("https://discord.com/invite/abc-def", True),
        ("https://discordapp.com/invite/abc", True),
        ("dіscоrd.gg/abc", True),
        ("ｄｉｓｃｏｒｄ．ｇｇ／ａｂｃ", True),
        ("dis\u200bcord.gg/abc", True),
        ("discord.me/abc", True),
        ("https://discord.com/channels/1/2/3", False),
        ("https://discord.com/developers/docs", False),
        ("discord is nice", False),
        ("discord.gg/Friend", False),
        ("**discord.gg**/Friend", False),
        ("https://discord.com/blog/news", False),
        ("https://cdn.discordapp.com/attachments/1/2/a.png", False),
        ("https://support.discord.com/hc/en-us", False),
        ("https://discord.gg:443/abc", True),
        ("https://discord.gg./abc", True),
        ("discord\\.gg/abc", True),
        ("discord.**gg**/abc", True),
        ("discord.gg/||abc||", True),
        ("discord.gg/nitro", True),
    ],
)
def test_invites(text: str, expected: bool) -> None:
    assert hit("invites", {"allowed_codes": ["friend"]}, text) is expected


BLOCK = {"domains": ["evil.example", "=exact.example", "*.below.example", "münchen.example"]}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("see https://evil.example/x", True),
        ("see evil.example", True),
        ("EVIL.Example.", True),
        ("a.b.evil.example", True),
        ("notevil.example", False),
        ("evil.example.org", False),
        ("https://good.example@evil.example/", True),
        ("https://evil.example@good.example/", False),
        ("https:\\\\evil.example", True),
        ("evil。example", True),
        ("https://ev%69l.example/", True),
        ("еvil.example", True),
        ("ev\u200bil.example", True),
        ("_evil.example_", True),
        ("https://evil%2Eexample/", True),
        ("exact.example", True),
        ("www.exact.example", False),
        ("below.example", False),
        ("www.below.example", True),
        ("münchen.example", True),
        ("xn--mnchen-3ya.example", True),
        ("version 1.2.3", False),
        ("no dots here", False),
    ],
)
def test_blocked_domains(text: str, expected: bool) -> None:
    assert hit("links", BLOCK, text) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://github.com/x", False),
        ("https://gist.github.com/x", False),
        ("https://elsewhere.example", True),
        ("elsewhere.example is not a link", False),
        ("https://gíthub.com", True),
        ("github.com.evil.example", False),
        ("g1thub.com", True),
        ("https://xn--gthub-5pa.com", True),
        ("https://github.com:443/", False),
        ("https://github.com@a@elsewhere.example", True),
        ("https://u:(p@elsewhere.example", True),
        ("https://github.com#@elsewhere.example", False),
        ("http://192.168.1.1/", True),
        ("http://2130706433/", True),
        ("http://[::1]/", True),
        ("http://[::ffff:1.2.3.4]/", True),
        ("http://localhost", True),
        ("https://... or http://", False),
        ("localhost, [::1] and 1.2.3.4", False),
    ],
)
def test_allow_lists_catch_other_links_and_imitations(text: str, expected: bool) -> None:
    assert hit("links", {"mode": "allow", "domains": ["github.com"]}, text) is expected


def test_a_code_keeps_its_case_in_formatting() -> None:
    found = _Invites(InviteSettings()).found(Sample(TextView.of("discord.gg/**AbC**, discord.gg/dEf")))
    assert list(found) == ["AbC", "dEf"]


def test_protected_names() -> None:
    settings = {"protected": ["paypal.com"]}
    assert hit("links", settings, "log in at раураl.com")
    assert hit("links", settings, "paypa1.com/login")
    assert not hit("links", settings, "https://paypal.com and https://www.paypal.com")


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("(", "missing"),
        ("a*", "empty text"),
        ("", "characters"),
        (r"\b", "empty text"),
        ("(?=x)y", "invalid"),
        ("x{1001}", "repetition"),
        ("(a{100}){100}", "repetition"),
        (".{0,900}x.{0,900}y", "too large"),
        ("x" * 261, "characters"),
    ],
)
def test_regexes_are_refused_with_the_reason(pattern: str, words: str) -> None:
    with pytest.raises(InvalidRule) as refused:
        kinds()["regex"].parse({"patterns": [pattern]})
    assert words in str(refused.value.text.params["problem"])


def test_regexes_match_through_disguises() -> None:
    settings = {"patterns": [r"free\s+nitro", r"^gm$"]}
    assert hit("regex", settings, "FREE   Nitro here")
    assert hit("regex", settings, "frее nitrо")
    assert hit("regex", settings, "gm")
    assert not hit("regex", settings, "freedom")
    assert not hit("regex", settings | {"disguised": False}, "frее nitrо")


def test_mentions() -> None:
    users = [{"id": str(number)} for number in range(1, 7)]
    assert hit("mentions", {"most": 5}, message("hi", mentions=users))
    assert not hit("mentions", {"most": 6}, message("hi", mentions=users))
    assert hit("mentions", {"most": 1}, "<@123456789012345678> <@&123456789012345679>")
    assert not hit("mentions", {"most": 1}, "<@123456789012345678> <@!123456789012345678>")
    assert hit("mentions", {"everyone": True}, "hey @everyone")
    assert not hit("mentions", {}, "hey @everyone")


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("plain: text", 0),
        ("😀😀", 2),
        ("👩‍👩‍👧‍👦", 1),
        ("👍🏽", 1),
        ("🇩🇪🇫🇷", 2),
        ("1️⃣", 1),
        ("❤️", 1),
        ("<:pepe:123456789012345678> <a:dance:123456789012345679>", 2),
        ("© ™ 12", 0),
    ],
)
def test_emoji_are_counted_as_readers_do(text: str, count: int) -> None:
    assert count_emoji(text) == count
    assert hit("emoji", {"most": 0}, text) is (count > 0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("STOP SHOUTING AT ME", True),
        ("ХВАТИТ КРИЧАТЬ НА МЕНЯ", True),
        ("LOL", False),
        ("This Is Fine And Long Enough", False),
        ("これは日本語の長い文章ですよねそうですね", False),
        ("<:SHOUTINGEMOJI:123456789012345678> https://EXAMPLE.ORG/ABCDEFGH ok", False),
    ],
)
def test_caps(text: str, expected: bool) -> None:
    assert hit("caps", {}, text) is expected


def test_zalgo() -> None:
    assert hit("zalgo", {}, "h" + "\u0315" * 8 + "i")
    assert not hit("zalgo", {}, "Việt Nam, שָׁלוֹם, ที่นี่, é")


def test_newlines() -> None:
    assert hit("newlines", {"most": 3}, message("a\n\n\n\nb"))
    assert not hit("newlines", {"most": 4}, message("a\n\n\n\nb"))


def files(*names: str, content_type: str = "") -> Any:
    return message(
        attachments=[
            {"id": str(n), "filename": name, "size": 1, "url": "", "content_type": content_type}
            for n, name in enumerate(names)
        ]
    )


def test_attachments() -> None:
    assert hit("attachments", {}, files("holiday.jpg.EXE"))
    assert hit("attachments", {}, files("cod\u202egpj.exe"))
    assert not hit("attachments", {}, files("holiday.jpg"))
    assert hit("attachments", {"allowed": ["png"]}, files("a.png", "a.jpg"))
    assert hit("attachments", {"types": ["video"]}, files("a.bin", content_type="video/mp4"))
    assert hit("attachments", {"most": 1}, files("a.png", "b.png"))
    assert not hit("attachments", {}, message("x.exe"))


def test_accounts() -> None:
    new = id_at((NOW - timedelta(hours=2)).timestamp() * 1000)
    settings = {"account_hours": 24}
    assert hit("account", settings, message("https://example.org", author=new))
    assert not hit("account", settings, message("hello", author=new))
    assert not hit("account", settings, message("https://example.org"))
    assert hit("account", settings | {"containing": "anything"}, message("hello", author=new))
    joined = {"roles": [], "joined_at": (NOW - timedelta(hours=1)).isoformat()}
    assert hit("account", {"member_hours": 2, "containing": "anything"}, message("hi", member=joined))
    with pytest.raises(InvalidRule):
        kinds()["account"].parse({})


def test_exemptions_expiry_and_overrides() -> None:
    rule = {"words": ["bad"]}
    sample = Sample.of_message(message("bad", member={"roles": ["5"], "joined_at": None}))
    assert guild_of(stored("words", rule)).judge(sample, NOW)
    assert not guild_of(stored("words", rule, exempt_roles=[5])).judge(sample, NOW)
    assert not guild_of(stored("words", rule, exempt_channels=[77])).judge(sample, NOW)
    assert not guild_of(stored("words", rule, expires_at=NOW)).judge(sample, NOW)
    (finding,) = guild_of(stored("words", rule, sanction="ban", shadow=True, severity=3)).judge(sample, NOW)
    assert (finding.sanction, finding.shadow, finding.severity) == ("ban", True, Severity.TIMEOUT)


def test_names_are_judged_by_kinds_that_read_text() -> None:
    rules = guild_of(stored("words", {"words": ["bad"]}), stored("caps", {"least": 3}), stored("flood", {}))
    assert len(rules.judge(Sample(TextView.of("BAD BAD BAD"), guild_id=GUILD), NOW)) == 1


def test_a_rule_that_cannot_be_read_leaves_the_others_working() -> None:
    rules = guild_of(
        stored("words", {"nonsense": 1}), stored("gone", {}), stored("words", {"words": ["bad"]})
    )
    assert len(rules.rules) == 1


def test_every_kind_describes_itself() -> None:
    assert {"words", "invites", "links", "regex", "mentions", "emoji", "caps", "zalgo", "newlines", "attachments"} | {
        "account", "flood", "repeat"
    } == set(kinds())  # fmt: skip


def test_a_problem_names_the_option_and_the_entry() -> None:
    with pytest.raises(InvalidRule) as refused:
        kinds()["words"].parse({"words": ["fine", "x" * 200]})
    assert str(refused.value.text).startswith("`listed`, “xxx")
    with pytest.raises(InvalidRule) as refused:
        kinds()["regex"].parse({"patterns": []})
    assert str(refused.value.text).startswith("`pattern`: ")
    with pytest.raises(InvalidRule) as refused:
        kinds()["words"].parse({"words": []})
    assert str(refused.value.text).startswith("`listed`: ")
