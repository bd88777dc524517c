"""All metrics of Gatehouse, one sentence each; `docs/metrics.md` lists them.

Names follow seeds S2 and S3 where those give them. Labels never hold ids of people, tokens or message text.
"""

from __future__ import annotations

import gc
from typing import Any

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

REGISTRY = CollectorRegistry(auto_describe=True)
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)

MILLISECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000)
"""Buckets for histograms whose name ends in _ms."""


def exposition() -> tuple[bytes, str]:
    """Return the body and the content type of GET /metrics."""
    return generate_latest(REGISTRY), CONTENT_TYPE_LATEST


def counter(name: str, sentence: str, labels: tuple[str, ...] = ()) -> Counter:
    """Declare a counter in our registry."""
    return Counter(name, sentence, labels, registry=REGISTRY)


def gauge(name: str, sentence: str, labels: tuple[str, ...] = ()) -> Gauge:
    """Declare a gauge in our registry."""
    return Gauge(name, sentence, labels, registry=REGISTRY)


def histogram(
    name: str, sentence: str, labels: tuple[str, ...] = (), buckets: tuple[float, ...] = MILLISECONDS
) -> Histogram:
    """Declare a histogram in our registry; buckets are milliseconds unless given."""
    return Histogram(name, sentence, labels, buckets=buckets, registry=REGISTRY)


# Every process
LOOP_LAG = histogram("event_loop_lag_ms", "Delay of the event loop, sampled every 500 ms (seed S4).")
GC_PAUSE = histogram("gc_pause_ms", "Duration of Python garbage collections by generation.", ("generation",))
ERRORS = counter("discord_errors_total", "Errors that reached the edge of a process, by where.", ("where",))

# Interactions (web)
INTERACTION_MS = histogram(
    "interaction_ms",
    "Interaction requests by type and by how they were answered, with the time until then.",
    ("type", "outcome"),
)
INTERACTION_REPLAYS = counter("interaction_replays_total", "Interactions whose id had been seen before.")
INTERACTION_TAKEOVERS = counter(
    "interaction_takeovers_total", "Interactions taken over from a replica that died before it answered."
)
AUTOMATIC_DEFERRALS = counter(
    "interaction_automatic_deferrals_total",
    "Interactions deferred because their handler was slow.",
    ("type",),
)
LATE_ANSWERS = counter(
    "interaction_late_answers_total",
    "Answers sent over REST after a deferral, by how that ended.",
    ("outcome",),
)
WEBHOOK_EVENTS = counter(
    "webhook_events_total", "Webhook events by type and by what became of them.", ("type", "outcome")
)

# Interaction jobs (web and worker)
JOBS_ENQUEUED = counter("jobs_enqueued_total", "Durable interaction jobs written to Redis.", ("job",))
JOBS_FINISHED = counter(
    "jobs_finished_total", "Durable interaction jobs by how they ended.", ("job", "outcome")
)
JOB_MS = histogram("job_ms", "Running time of durable interaction jobs.", ("job",))

# Admission (web)
ADMISSION_REFUSALS = counter(
    "admission_refusals_total", "Requests refused because a window was full, by its scope.", ("scope",)
)
ADMISSION_FALLBACKS = counter(
    "admission_fallbacks_total", "Requests that this process limited and deduplicated alone, without Redis."
)
ADMISSION_ALONE = gauge(
    "admission_fallback_active", "1 while this process limits and deduplicates alone because Redis is away."
)

# Discord REST (all processes)
DISCORD_API_LATENCY = histogram(
    "discord_api_latency_ms",
    "Time from sending a REST call to its answer, waits excluded (seed S3), by route and status.",
    ("route", "status"),
)
DISCORD_MESSAGES_SENT = counter(
    "discord_messages_sent_total", "Messages posted in channels over Discord's REST API (seed S3)."
)
DISCORD_RATE_LIMITS_HIT = counter(
    "discord_rate_limits_hit_total", "Answers 429 from Discord's REST API (seed S3), by scope.", ("scope",)
)
DISCORD_SLOT_WAIT = histogram(
    "discord_slot_wait_ms",
    "Time that a REST call waited for its rate-limit slot, by priority.",
    ("priority",),
    (*MILLISECONDS, 30_000, 60_000, 300_000),
)
DISCORD_SLOTS_REFUSED = counter(
    "discord_slots_refused_total",
    "REST calls that were not sent because no slot was free in time or a stop was in force.",
    ("priority", "cause"),
)
DISCORD_RETRIES = counter(
    "discord_api_retries_total", "REST calls that were sent again, by cause.", ("cause",)
)
DISCORD_BAD_ANSWERS_LEFT = gauge(
    "discord_bad_answers_left",
    "Answers 401, 403 and 429 that may still come within ten minutes before our own stop.",
)
DISCORD_LIMITER_LOCAL = gauge(
    "discord_limiter_local",
    "1 while Redis is out of reach and this process keeps to its share of the limits.",
)
DISCORD_LIMITER_FALLBACKS = counter(
    "discord_limiter_fallbacks_total", "Times that the shared rate limiter in Redis could not be reached."
)

# Gateway (ingester)
GATEWAY_CONNECTIONS = gauge("discord_connections_total", "Open gateway sockets of this process.")
SHARDS_ONLINE = gauge("discord_shards_online", "Shards of this process with a running session.")
GUILD_COUNT = gauge("discord_guild_count", "Guilds of a shard.", ("shard_id",))
USER_COUNT = gauge(
    "discord_user_count", "Members of a shard's guilds; who is in two guilds counts twice.", ("shard_id",)
)
GATEWAY_LATENCY = gauge(
    "discord_gateway_latency_ms", "Time from a shard's heartbeat to its acknowledgement.", ("shard_id",)
)
MESSAGES_RECEIVED = counter(
    "discord_messages_received_total", "Messages that came over the gateway (MESSAGE_CREATE).", ("shard_id",)
)
GATEWAY_EVENTS = counter(
    "discord_events_received_total", "Dispatches taken for the app.", ("shard_id", "type")
)
EVENT_PROCESSING_TIME = histogram(
    "discord_event_processing_time_ms",
    "From a dispatch's arrival until Redis has it: the oldest of each batch.",
    ("shard_id",),
)
WORKER_MEMORY = gauge("discord_worker_memory_usage_bytes", "Resident memory of this process.")
GATEWAY_BATCH_SIZE = histogram(
    "gateway_batch_size_events",
    "Events per call of the publish script.",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512),
)
GATEWAY_STAGE = histogram(
    "gateway_stage_ms",
    "Time of one step: decompress and parse (one event in 64 is measured), publish (a batch, to Redis and back).",
    ("stage",),
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 1, 5, 20, 100, 500, 2000),
)
GATEWAY_BUFFER_EVENTS = gauge("gateway_buffer_events", "Events received and not yet in Redis.")
GATEWAY_BUFFER_BYTES = gauge("gateway_buffer_bytes", "Bytes of the events received and not yet in Redis.")
GATEWAY_BACKPRESSURE = counter(
    "gateway_backpressure_total", "Times that the full buffer stopped the reading of sockets."
)
GATEWAY_EVENTS_STORED = counter(
    "gateway_events_stored_total", "Events appended to the streams.", ("shard_id",)
)
GATEWAY_EVENTS_REFUSED = counter(
    "gateway_events_refused_total", "Events that Redis had already: replays and overlaps.", ("shard_id",)
)
GATEWAY_EVENTS_DROPPED = counter(
    "gateway_events_dropped_total",
    "Events that no consumer will see, by reason (alert): stream_cap when consumers are too far behind, malformed.",
    ("reason",),
)
GATEWAY_SESSIONS_LOST = counter(
    "gateway_sessions_lost_total",
    "Sessions that could not be resumed, by reason (alert): what happened between the sessions is not replayed.",
    ("reason",),
)
GATEWAY_IDENTIFIES = counter("gateway_identifies_total", "IDENTIFYs sent.", ("shard_id",))
GATEWAY_RESUMES = counter("gateway_resumes_total", "RESUMEs that Discord accepted.", ("shard_id",))
GATEWAY_CLOSES = counter("gateway_closes_total", "Sockets closed, by close code.", ("code",))
GATEWAY_IDENTIFY_BUDGET = gauge(
    "gateway_identify_budget", "IDENTIFYs left today as Discord last told (contract section 5.3)."
)
GATEWAY_DEGRADED = counter(
    "gateway_degraded_total", "Health checks that found a latency over 500 ms (seed S4).", ("shard_id",)
)
GATEWAY_CLUSTER_RESTARTS = counter("gateway_cluster_restarts_total", "Processes started again.", ("cluster",))
GATEWAY_STREAM_ENTRIES = gauge("gateway_stream_entries", "Entries of an event stream.", ("partition",))
GATEWAY_STREAM_TRIMMED = counter(
    "gateway_stream_trimmed_total", "Entries removed behind the slowest consumer group."
)

# Streams and schedule (worker)
STREAM_HANDLER_MS = histogram(
    "stream_handler_ms", "Running time of event handlers, parsing included.", ("group", "handler")
)
STREAM_HANDLED = counter("stream_handled_total", "Stream entries whose handlers succeeded.", ("group",))
STREAM_SKIPPED = counter(
    "stream_skipped_total", "Stream entries acknowledged because no handler wants their type.", ("group",)
)
STREAM_RETRIED = counter("stream_retried_total", "Handlers put off to be tried again.", ("group",))
STREAM_DEAD_LETTERS = counter(
    "stream_dead_letters_total", "Dead letters by reason (alert).", ("group", "reason")
)
STREAM_TAKEN_OVER = counter(
    "stream_taken_over_total", "Entries found pending and taken over, mostly from dead workers.", ("group",)
)
STREAM_LOST = counter(
    "stream_lost_total", "Entries whose body was trimmed before they were handled (alert).", ("group",)
)
STREAM_PAUSES = counter(
    "stream_pauses_total",
    "Times that a group paused, by reason: store or dead_letters (alert).",
    ("group", "reason"),
)
STREAM_PAUSED = gauge("stream_paused", "1 while the group is paused in this process.", ("group",))
STREAM_RUNNING = gauge("stream_handlers_running", "Entries in handlers now.", ("group",))
STREAM_WAITING = gauge("stream_entries_waiting", "Entries read and waiting for a handler.", ("group",))
STREAM_DELAYED = gauge("stream_entries_delayed", "Entries that wait to be tried again.", ("group",))
STREAM_PARTITIONS = gauge("stream_partitions_held", "Partitions that this process holds.", ("group",))
STREAM_LEASE_CHANGES = counter(
    "stream_lease_changes_total", "Partitions gained, given up and lost.", ("group", "change")
)
STREAM_LAG_SECONDS = gauge(
    "stream_lag_seconds", "Age of the oldest entry not yet handled in the partitions held.", ("group",)
)
STREAM_PENDING = gauge("stream_entries_pending", "Entries delivered and not acknowledged.", ("group",))
STREAM_STALE_CLAIMS = counter(
    "stream_stale_claims_total",
    "Effects refused because the partition belonged to another worker.",
    ("group",),
)
CLAIM_DUPLICATES = counter("claim_duplicates_total", "Events whose effect had happened already.", ("group",))
SCHEDULE_FINISHED = counter("schedule_finished_total", "Scheduled work by how it ended.", ("kind", "outcome"))
SCHEDULE_MS = histogram("schedule_ms", "Running time of scheduled work.", ("kind",))
SCHEDULE_LATE_MS = histogram("schedule_late_ms", "From the time that work was due to its start.", ("kind",))

# Moderation (worker)
MODERATION_MESSAGES = counter(
    "moderation_messages_total", "Messages judged, by the stage that decided.", ("stage",)
)
MODERATION_SANCTIONS = counter(
    "moderation_sanctions_total", "Sanctions, by kind, origin and result.", ("sanction", "origin", "result")
)
MODERATION_REFUSALS = counter(
    "moderation_refusals_total", "Automatic sanctions that authority refused, by reason.", ("reason",)
)
RULE_WATCH_FAILURES = counter(
    "moderation_rule_watch_failures_total",
    "Looks of windowed rules that failed open, by kind of rule.",
    ("kind",),
)
RULE_SLOW = counter(
    "moderation_rule_slow_total", "Match calls that took more than 5 ms of CPU, by kind of rule.", ("kind",)
)
RAID_LEVELS = counter(
    "moderation_raid_levels_total", "Changes of a guild's raid level, by the new one.", ("level",)
)
MODERATION_UNSCANNED = counter(
    "moderation_unscanned_total",
    "Messages that stages 2 and 3 did not judge, by reason (alert).",
    ("reason",),
)
MODERATION_WAITING = counter(
    "moderation_waits_total", "Times a message was put off because the provider was down."
)
PROVIDER_CALLS = counter(
    "provider_calls_total",
    "Calls to the OpenAI-compatible API, by endpoint and outcome.",
    ("endpoint", "outcome"),
)
PROVIDER_MS = histogram(
    "provider_latency_ms", "Time of successful provider calls, by endpoint.", ("endpoint",)
)
MODERATION_REVIEWS = counter(
    "moderation_reviews_total",
    "Review items decided by people, by kind and resolution.",
    ("kind", "resolution"),
)
MODERATION_SECONDS = histogram(
    "moderation_reaction_ms", "Time from a message's arrival at the ingester to the sanction carried out."
)


def watch_gc() -> None:
    """Observe every garbage collection of this process from now on."""
    import time

    started: dict[str, float] = {}

    def on_gc(phase: str, info: dict[str, Any]) -> None:
        if phase == "start":
            started["at"] = time.perf_counter()
        elif "at" in started:
            GC_PAUSE.labels(str(info["generation"])).observe((time.perf_counter() - started.pop("at")) * 1000)

    gc.callbacks.append(on_gc)
