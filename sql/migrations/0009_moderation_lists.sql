-- Moderation: lists of domains, exemptions by permission, retained messages for backtests, raids.
ALTER TABLE moderation.rules ADD COLUMN exempt_permissions bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN moderation.rules.exempt_permissions IS 'bits of Discord''s permissions: whoever holds one of them is exempt';

CREATE TABLE moderation.domain_lists (
    list_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    guild_id   bigint NOT NULL,
    name       text NOT NULL,
    version    bigint NOT NULL DEFAULT 1,
    source     text NOT NULL,
    entries    integer NOT NULL DEFAULT 0,
    changed_by bigint,
    changed_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (guild_id, name)
);
COMMENT ON COLUMN moderation.domain_lists.version IS 'grows with every import: what processes compare';

CREATE TABLE moderation.domains (
    list_id bigint NOT NULL REFERENCES moderation.domain_lists (list_id) ON DELETE CASCADE,
    domain  text NOT NULL,
    PRIMARY KEY (list_id, domain)
);
COMMENT ON COLUMN moderation.domains.domain IS 'lower-case punycode; =name: only that host, *.name: only hosts below it, else both';

-- What was written in guilds that keep it, so that a rule can be tried on it. Pruned by kept_until.
CREATE TABLE moderation.messages (
    guild_id   bigint NOT NULL,
    message_id bigint NOT NULL,
    user_id    bigint NOT NULL,
    payload    bytea NOT NULL,
    kept_until timestamptz NOT NULL,
    PRIMARY KEY (guild_id, message_id)
);
CREATE INDEX messages_kept_until ON moderation.messages (kept_until);
COMMENT ON COLUMN moderation.messages.payload IS 'JSON: the fields of the message that rules look at, as the gateway sent them';

CREATE TABLE moderation.raids (
    guild_id       bigint PRIMARY KEY,
    level          smallint NOT NULL CHECK (level BETWEEN 0 AND 3),
    wave           bigint NOT NULL,
    since          timestamptz NOT NULL,
    calm_at        timestamptz NOT NULL,
    manual_by      bigint,
    invites_paused boolean NOT NULL DEFAULT false,
    acting         boolean NOT NULL DEFAULT false
);
COMMENT ON COLUMN moderation.raids.level IS '0 calm, 1 watch, 2 raised, 3 lockdown';
COMMENT ON COLUMN moderation.raids.wave IS 'Unix milliseconds at which this raid began: names its cases';
COMMENT ON COLUMN moderation.raids.calm_at IS 'when the level goes down by one, unless more joins come';
COMMENT ON COLUMN moderation.raids.acting IS 'work on the wave is scheduled and has not begun';

CREATE TABLE moderation.raid_members (
    guild_id  bigint NOT NULL,
    wave      bigint NOT NULL,
    user_id   bigint NOT NULL,
    joined_at timestamptz NOT NULL,
    handled   boolean NOT NULL DEFAULT false,
    PRIMARY KEY (guild_id, wave, user_id)
);
