-- What must happen once for an interaction, single-use ids, and what Discord told us of authorisations.
CREATE SCHEMA interactions;

-- One row per interaction that had an effect, written in the effect's own transaction.
CREATE TABLE interactions.claims (
    interaction_id bigint PRIMARY KEY,
    claimed_at     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX claims_claimed_at ON interactions.claims (claimed_at);

-- Custom ids that work once.
CREATE TABLE interactions.used_ids (
    key   text PRIMARY KEY,
    until timestamptz NOT NULL
);
CREATE INDEX used_ids_until ON interactions.used_ids (until);

-- Webhook events carry no id and may come several times: the hash of the body tells repeats.
CREATE TABLE interactions.webhook_events (
    body_sha256 bytea PRIMARY KEY,
    type        text NOT NULL,
    occurred_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    user_id     bigint,
    guild_id    bigint
);
CREATE INDEX webhook_events_user_id ON interactions.webhook_events (user_id);
CREATE INDEX webhook_events_received_at ON interactions.webhook_events (received_at);

-- Who authorised the application, for himself (integration type 1) or for a guild (0).
CREATE TABLE interactions.authorizations (
    user_id          bigint NOT NULL,
    integration_type smallint NOT NULL,
    guild_id         bigint NOT NULL DEFAULT 0,
    scopes           text[] NOT NULL,
    authorized_at    timestamptz NOT NULL,
    PRIMARY KEY (user_id, integration_type, guild_id)
);
COMMENT ON COLUMN interactions.authorizations.guild_id IS '0: not for a guild';
