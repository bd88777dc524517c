"""What new accounts and new members write."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.features.moderation.rules.domains.links import links_in
from app.features.moderation.rules.kind import Judge, Match, RuleKind, Sample
from app.interactions.form_problems import FieldError
from app.locale.text import t
from app.snowflake import created_ms

HOUR_MS = 3_600_000


class AccountSettings(BaseModel):
    """Accounts younger than `account_hours`, or members since less than `member_hours`, when their message holds
    `containing`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    account_hours: Annotated[int, Field(ge=1, le=24 * 365)] | None = None
    member_hours: Annotated[int, Field(ge=1, le=24 * 365)] | None = None
    containing: Literal["anything", "links", "files"] = "links"

    @model_validator(mode="after")
    def _has_an_age(self) -> AccountSettings:
        if self.account_hours is None and self.member_hours is None:
            raise FieldError(t("Say how old an account or a membership must be."))
        return self


class _Account:
    def __init__(self, settings: AccountSettings) -> None:
        self._settings = settings

    def __call__(self, sample: Sample) -> Match | None:
        message = sample.message
        if message is None or message.author is None or not self._holds(sample):
            return None
        at = created_ms(message.id)
        hours = self._settings.account_hours
        if hours is not None and at - created_ms(message.author.id) < hours * HOUR_MS:
            return Match("new account")
        hours = self._settings.member_hours
        joined = None if message.member is None else message.member.joined_at
        if hours is not None and joined is not None and at - joined.timestamp() * 1000 < hours * HOUR_MS:
            return Match("new member")
        return None

    def _holds(self, sample: Sample) -> bool:
        assert sample.message is not None
        if self._settings.containing == "files":
            return bool(sample.message.attachments)
        if self._settings.containing == "links":
            return any(link is not None and link.written_out for link in links_in(sample.view.plain))
        return True


def compile_account(settings: AccountSettings) -> Judge:
    """Return the judge of ages."""
    return _Account(settings)


KIND = RuleKind(
    name="account",
    sentence=t("Messages of new accounts or new members."),
    settings=AccountSettings,
    compile=compile_account,
    category="account",
    by_text=False,
)
