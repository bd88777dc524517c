-- Guilds that installed the bot, and their settings per feature.
CREATE SCHEMA tenancy;

CREATE TABLE tenancy.guilds (
    guild_id     bigint PRIMARY KEY,
    name         text NOT NULL DEFAULT '',
    owner_id     bigint,
    locale       text,
    installed_at timestamptz NOT NULL DEFAULT now(),
    left_at      timestamptz
);

-- One row per guild and feature; `version` lets a cache that missed an invalidation heal itself.
CREATE TABLE tenancy.guild_settings (
    guild_id   bigint NOT NULL,
    feature    text NOT NULL,
    version    bigint NOT NULL DEFAULT 1,
    settings   jsonb NOT NULL DEFAULT '{}',
    updated_at timestamptz NOT NULL DEFAULT now(),
    updated_by bigint,
    PRIMARY KEY (guild_id, feature)
);

CREATE TABLE tenancy.feature_flags (
    flag     text NOT NULL,
    guild_id bigint NOT NULL DEFAULT 0,
    enabled  boolean NOT NULL,
    PRIMARY KEY (flag, guild_id)
);
COMMENT ON COLUMN tenancy.feature_flags.guild_id IS '0: every guild without a row of its own';
