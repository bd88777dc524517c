-- Moderation: what people decide (the review queue), what members contest (appeals), what is purged.
CREATE TABLE moderation.review_items (
    item_id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    guild_id           bigint NOT NULL,
    item_key           text NOT NULL,
    kind               text NOT NULL CHECK (kind IN ('verdict', 'report', 'appeal')),
    severity           smallint NOT NULL DEFAULT 0 CHECK (severity BETWEEN 0 AND 4),
    reason             text NOT NULL DEFAULT '',
    proposed           text CHECK (proposed IN ('warn', 'delete', 'timeout', 'kick', 'ban')),
    user_id            bigint NOT NULL,
    channel_id         bigint,
    message_id         bigint,
    decision_id        bigint,
    case_number        integer,
    appeal_id          bigint,
    reporters          bigint[] NOT NULL DEFAULT '{}',
    excerpt            text,
    excerpt_expires_at timestamptz,
    state              text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'resolved', 'undone')),
    version            integer NOT NULL DEFAULT 1,
    claimed_by         bigint,
    claimed_at         timestamptz,
    resolution         text CHECK (resolution IN ('approve', 'dismiss', 'delete', 'timeout', 'ban', 'uphold', 'overturn')),
    resolved_by        bigint,
    resolved_at        timestamptz,
    resolution_case    integer,
    posted_channel     bigint,
    posted_message     bigint,
    opened_at          timestamptz NOT NULL DEFAULT now(),
    UNIQUE (guild_id, item_key),
    CHECK ((state = 'open') = (resolution IS NULL)),
    CHECK ((resolution IS NULL) = (resolved_by IS NULL))
);
CREATE INDEX review_items_open ON moderation.review_items (guild_id, item_id) WHERE state = 'open';
CREATE INDEX review_items_excerpt ON moderation.review_items (excerpt_expires_at) WHERE excerpt IS NOT NULL;
COMMENT ON COLUMN moderation.review_items.item_key IS 'what it is about, once: decision:7, report:<message>, appeal:3';
COMMENT ON COLUMN moderation.review_items.version IS 'grows with every change: a button carries the one it was made for';
COMMENT ON COLUMN moderation.review_items.case_number IS 'what was done already when the item was opened, or is appealed against';
COMMENT ON COLUMN moderation.review_items.resolution_case IS 'the case that the resolution opened';
COMMENT ON COLUMN moderation.review_items.excerpt IS 'the evidence, kept until excerpt_expires_at';

CREATE TABLE moderation.appeals (
    appeal_id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    guild_id        bigint NOT NULL,
    case_number     integer NOT NULL,
    user_id         bigint NOT NULL,
    text            text,
    text_expires_at timestamptz NOT NULL,
    state           text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'upheld', 'overturned')),
    dm_channel      bigint,
    dm_message      bigint,
    opened_at       timestamptz NOT NULL DEFAULT now(),
    decided_at      timestamptz,
    decided_by      bigint,
    FOREIGN KEY (guild_id, case_number) REFERENCES moderation.cases (guild_id, number),
    CHECK ((state = 'open') = (decided_by IS NULL))
);
CREATE UNIQUE INDEX appeals_one_open ON moderation.appeals (guild_id, case_number) WHERE state = 'open';
CREATE INDEX appeals_case ON moderation.appeals (guild_id, case_number);
CREATE INDEX appeals_text ON moderation.appeals (text_expires_at) WHERE text IS NOT NULL;

-- The messages of a purge, chosen before the first is deleted: a worker that takes over deletes these and no others.
CREATE TABLE moderation.purges (
    guild_id    bigint NOT NULL,
    number      integer NOT NULL,
    channel_id  bigint NOT NULL,
    message_ids bigint[] NOT NULL,
    PRIMARY KEY (guild_id, number),
    FOREIGN KEY (guild_id, number) REFERENCES moderation.cases (guild_id, number)
);

-- Texts are forgotten daily; the work schedules itself anew.
INSERT INTO streams.schedule (kind, key, due_at, next_at, payload)
VALUES ('moderation.forget', 'daily', now(), now(), '{}');
