"""The services of people's half of moderation: orders, lifting, the review queue, appeals."""

from __future__ import annotations

from app.feature import Floor, Services
from app.features.moderation.appeals.appeals import Appeals
from app.features.moderation.audit import AuditLog
from app.features.moderation.authority import Authority
from app.features.moderation.carry_out import CarryOut
from app.features.moderation.cases.bulk import BulkBans
from app.features.moderation.cases.handmade import Handmade
from app.features.moderation.cases.lifting import Lifting
from app.features.moderation.cases.moderators import Moderators
from app.features.moderation.cases.purges.purging import Purging
from app.features.moderation.cases.retention import Retention
from app.features.moderation.directory import Directory
from app.features.moderation.notices import Notices
from app.features.moderation.review.posting import ReviewPosts
from app.features.moderation.review.queue import Reviews
from app.features.moderation.review.reports import Reports
from app.features.moderation.settings_editing import SettingsEditing


def people(
    floor: Floor,
    directory: Directory,
    authority: Authority,
    audit: AuditLog,
    carry_out: CarryOut,
    notices: Notices,
) -> Services:
    """Return the services by type."""
    pool, settings, clock = floor.postgres, floor.guild_settings, floor.clock
    lifting = Lifting(pool, authority, audit, carry_out, settings, clock)
    discord = floor.discord
    return {
        Appeals: Appeals(pool, discord, audit, settings, notices, clock),
        BulkBans: BulkBans(pool, discord, authority, audit, carry_out, settings, notices, clock),
        Handmade: Handmade(pool, discord, directory, audit, settings, notices, clock),
        Lifting: lifting,
        Moderators: Moderators(pool, discord, authority, audit, carry_out, settings, clock),
        Purging: Purging(pool, discord, audit, settings, notices, clock),
        Reports: Reports(pool, audit, settings, clock),
        Retention: Retention(pool, clock),
        ReviewPosts: ReviewPosts(pool, discord, settings, notices),
        SettingsEditing: SettingsEditing(pool, settings, audit, clock, machines=floor.provider is not None),
        Reviews: Reviews(pool, authority, audit, carry_out, lifting, settings, clock),
    }
