"""Moderation: stages that judge, a policy that decides, sanctions carried out, people in the loop."""

from __future__ import annotations

from app.adapters.openai.health import ProviderHealth
from app.feature import Feature, Floor, Services
from app.features.moderation.appeals.button import target_of
from app.features.moderation.audit import AuditLog
from app.features.moderation.authority import Authority
from app.features.moderation.automod import Automod
from app.features.moderation.backlog import Backlog
from app.features.moderation.carry_out import CarryOut
from app.features.moderation.directory import Directory
from app.features.moderation.exemptions import Exemptions
from app.features.moderation.notices import Notices
from app.features.moderation.people import people
from app.features.moderation.raid.alarm import RaidAlarm
from app.features.moderation.raid.joins import Joins
from app.features.moderation.raid.wave import RaidWave
from app.features.moderation.rules.domains.lists import DomainLists
from app.features.moderation.rules.editing import RuleEditing
from app.features.moderation.rules.engine import Rules
from app.features.moderation.rules.invites import InviteDirectory
from app.features.moderation.rules.kind import Tools
from app.features.moderation.rules.messages.backtest import Backtests
from app.features.moderation.rules.messages.keeping import KeptMessages
from app.features.moderation.rules.names import NameCheck
from app.features.moderation.rules.slow import SlowRules
from app.features.moderation.rules.slow_reports import SlowRuleReports
from app.features.moderation.rules.windows import RedisWindows
from app.features.moderation.stages.agent import AgentStage
from app.features.moderation.stages.context import ChannelContext
from app.features.moderation.stages.scanner import Scanner
from app.features.moderation.stages.scores import ScoreStage
from app.features.moderation.verdicts import Verdicts


def _services(floor: Floor) -> Services:
    directory = Directory(floor.discord)
    authority = Authority(directory)
    audit = AuditLog()
    domains = DomainLists(floor.postgres, floor.guild_settings, audit, floor.clock)
    tools = Tools(RedisWindows(floor.redis), InviteDirectory(floor.discord))
    slow = SlowRules(floor.postgres, floor.clock)
    rules = Rules(floor.postgres, floor.guild_settings, domains, tools, directory, slow)
    editing = RuleEditing(floor.postgres, floor.guild_settings, audit, floor.clock)
    notices = Notices(floor.postgres, floor.discord, floor.catalogue, lambda: floor.custom_ids, target_of)
    verdicts = Verdicts(floor.postgres, authority, audit, floor.clock)
    carry_out = CarryOut(floor.postgres, floor.discord, authority, floor.guild_settings, notices, floor.clock)
    exemptions = Exemptions(directory, lambda: floor.discord.application_id)
    automod = Automod(
        floor.postgres, rules, exemptions, verdicts, carry_out, floor.guild_settings, floor.clock
    )
    alarm = RaidAlarm(floor.postgres, Joins(floor.redis), floor.guild_settings, audit, floor.clock)
    wave = RaidWave(
        floor.postgres, floor.discord, authority, audit, floor.guild_settings, notices, floor.clock
    )
    provider = floor.provider
    stages = None if provider is None else (ScoreStage(provider, floor.redis), AgentStage(provider))
    context = ChannelContext(floor.redis, floor.keyring)
    health = ProviderHealth(floor.redis)
    return {
        AuditLog: audit,
        Authority: authority,
        Automod: automod,
        Backlog: Backlog(floor.postgres, carry_out, notices, floor.guild_settings, floor.clock),
        CarryOut: carry_out,
        Directory: directory,
        DomainLists: domains,
        RuleEditing: editing,
        SlowRuleReports: SlowRuleReports(floor.postgres, editing, floor.guild_settings, notices),
        Backtests: Backtests(floor.postgres, rules, floor.guild_settings, tools.invites, floor.clock),
        KeptMessages: KeptMessages(floor.postgres, floor.guild_settings, floor.clock),
        NameCheck: NameCheck(
            floor.postgres,
            floor.discord,
            rules,
            verdicts,
            carry_out,
            authority,
            floor.guild_settings,
            floor.clock,
        ),
        RaidAlarm: alarm,
        RaidWave: wave,
        Rules: rules,
        Scanner: Scanner(
            stages, context, rules, exemptions, automod, health, floor.guild_settings, floor.clock
        ),
        Verdicts: verdicts,
        **people(floor, directory, authority, audit, carry_out, notices),
    }


FEATURE = Feature(
    name="moderation",
    package=__name__,
    services=_services,
    tables=(
        "moderation.rules",
        "moderation.domain_lists",
        "moderation.messages",
        "moderation.raids",
        "moderation.raid_members",
        "moderation.decisions",
        "moderation.cases",
        "moderation.case_notes",
        "moderation.strikes",
        "moderation.punishments",
        "moderation.review_items",
        "moderation.appeals",
        "moderation.purges",
        "moderation.audit_log",
    ),
)
