-- Moderation, stage 1: what a guild's rules are.
CREATE SCHEMA moderation;

CREATE TABLE moderation.rules (
    rule_id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    guild_id        bigint NOT NULL,
    kind            text NOT NULL,
    name            text NOT NULL,
    version         integer NOT NULL DEFAULT 1,
    settings        jsonb NOT NULL,
    severity        smallint NOT NULL CHECK (severity BETWEEN 1 AND 4),
    sanction        text CHECK (sanction IN ('none', 'warn', 'delete', 'timeout', 'kick', 'ban', 'review')),
    enabled         boolean NOT NULL DEFAULT true,
    shadow          boolean NOT NULL DEFAULT false,
    expires_at      timestamptz,
    exempt_roles    bigint[] NOT NULL DEFAULT '{}',
    exempt_channels bigint[] NOT NULL DEFAULT '{}',
    created_by      bigint,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    UNIQUE (guild_id, name)
);
COMMENT ON COLUMN moderation.rules.version IS 'counts changes: decision records name rule and version';

-- Every version a rule ever had: a verdict can be rebuilt after the rule has changed or is gone.
CREATE TABLE moderation.rule_versions (
    rule_id    bigint NOT NULL,
    version    integer NOT NULL,
    guild_id   bigint NOT NULL,
    kind       text NOT NULL,
    settings   jsonb NOT NULL,
    severity   smallint NOT NULL,
    sanction   text,
    changed_by bigint,
    changed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (rule_id, version)
);

-- One number per guild that grows with every change of its rules: what the process's cache compares.
CREATE TABLE moderation.rule_sets (
    guild_id bigint PRIMARY KEY,
    version  bigint NOT NULL DEFAULT 1
);
