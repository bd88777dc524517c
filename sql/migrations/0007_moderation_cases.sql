-- Moderation: cases, strikes, claims of punishments, and the append-only audit log.

-- A counter row instead of a sequence: a number that a rolled-back transaction drew is drawn again, no gaps.
CREATE TABLE moderation.case_counters (
    guild_id bigint PRIMARY KEY,
    last     integer NOT NULL
);

CREATE FUNCTION moderation.next_case_v1(guild bigint) RETURNS integer
LANGUAGE sql AS $$
    INSERT INTO moderation.case_counters AS known (guild_id, last) VALUES (guild, 1)
    ON CONFLICT (guild_id) DO UPDATE SET last = known.last + 1
    RETURNING last
$$;

CREATE TABLE moderation.cases (
    guild_id     bigint NOT NULL,
    number       integer NOT NULL,
    action_key   text NOT NULL,
    sanction     text NOT NULL CHECK (sanction IN ('note', 'warn', 'delete', 'timeout', 'untimeout', 'kick', 'ban',
                                                   'unban', 'purge', 'undo')),
    origin       text NOT NULL CHECK (origin IN ('automatic', 'command', 'review', 'appeal', 'discord', 'expiry', 'raid')),
    target_id    bigint,
    moderator_id bigint,
    channel_id   bigint,
    message_id   bigint,
    reason       text NOT NULL DEFAULT '',
    decision_id  bigint,
    state        text NOT NULL DEFAULT 'recorded' CHECK (state IN ('recorded', 'done', 'failed', 'lifted')),
    problem      text,
    notified     boolean,
    opened_at    timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz,
    lifted_at    timestamptz,
    lifted_by    bigint,
    delete_seconds integer NOT NULL DEFAULT 0 CHECK (delete_seconds BETWEEN 0 AND 604800),
    PRIMARY KEY (guild_id, number),
    UNIQUE (guild_id, action_key)
);
CREATE INDEX cases_target ON moderation.cases (guild_id, target_id, number DESC);
COMMENT ON COLUMN moderation.cases.action_key IS 'what was done once: an interaction id, a message and its version, an audit-log entry';
COMMENT ON COLUMN moderation.cases.moderator_id IS 'NULL: automatic';
COMMENT ON COLUMN moderation.cases.delete_seconds IS 'of a ban: how far back messages are deleted';
COMMENT ON COLUMN moderation.cases.notified IS 'whether the DM to the member arrived; NULL: none was tried';

CREATE TABLE moderation.case_notes (
    guild_id  bigint NOT NULL,
    number    integer NOT NULL,
    edited_at timestamptz NOT NULL DEFAULT now(),
    editor_id bigint NOT NULL,
    previous  text NOT NULL,
    FOREIGN KEY (guild_id, number) REFERENCES moderation.cases (guild_id, number)
);
CREATE INDEX case_notes_case ON moderation.case_notes (guild_id, number);
COMMENT ON TABLE moderation.case_notes IS 'what a case''s reason was before each edit';

CREATE TABLE moderation.strikes (
    guild_id   bigint NOT NULL,
    user_id    bigint NOT NULL,
    action_key text NOT NULL,
    weight     smallint NOT NULL CHECK (weight > 0),
    struck_at  timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    PRIMARY KEY (guild_id, user_id, action_key)
);

-- One punishment per member, rule and window, whoever decides first.
CREATE TABLE moderation.punishments (
    guild_id     bigint NOT NULL,
    user_id      bigint NOT NULL,
    rule_key     text NOT NULL,
    window_start timestamptz NOT NULL,
    action_key   text NOT NULL,
    PRIMARY KEY (guild_id, user_id, rule_key, window_start)
);

CREATE TABLE moderation.audit_heads (
    guild_id bigint PRIMARY KEY,
    position bigint NOT NULL,
    hash     bytea NOT NULL
);

CREATE TABLE moderation.audit_log (
    guild_id bigint NOT NULL,
    position bigint NOT NULL,
    at       timestamptz NOT NULL,
    actor_id bigint,
    action   text NOT NULL,
    target   text NOT NULL,
    detail   text NOT NULL,
    previous bytea NOT NULL,
    hash     bytea NOT NULL,
    PRIMARY KEY (guild_id, position)
);
COMMENT ON TABLE moderation.audit_log IS 'append-only; each row''s hash covers its predecessor''s hash, its position and its fields';
COMMENT ON COLUMN moderation.audit_log.detail IS 'canonical JSON; never message text';

CREATE FUNCTION moderation.refuse_change() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'moderation.audit_log is append-only' USING ERRCODE = 'insufficient_privilege';
END
$$;

CREATE TRIGGER audit_log_is_append_only
BEFORE UPDATE OR DELETE ON moderation.audit_log
FOR EACH ROW EXECUTE FUNCTION moderation.refuse_change();

CREATE TRIGGER audit_log_is_not_truncated
BEFORE TRUNCATE ON moderation.audit_log
FOR EACH STATEMENT EXECUTE FUNCTION moderation.refuse_change();
