-- Moderation: what was judged and how, so that every automatic verdict can be rebuilt.
CREATE TABLE moderation.decisions (
    decision_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    guild_id        bigint NOT NULL,
    subject_key     text NOT NULL,
    channel_id      bigint,
    user_id         bigint NOT NULL,
    message_id      bigint,
    decided_at      timestamptz NOT NULL,
    digest          bytea NOT NULL,
    normalised      text,
    text_expires_at timestamptz,
    findings        jsonb NOT NULL,
    rules           jsonb NOT NULL DEFAULT '[]',
    thresholds      jsonb,
    model           text,
    prompt_version  text,
    strikes         integer NOT NULL DEFAULT 0,
    sanction        text NOT NULL,
    severity        smallint NOT NULL,
    review          boolean NOT NULL DEFAULT false,
    outcome         jsonb NOT NULL,
    UNIQUE (guild_id, subject_key)
);
CREATE INDEX decisions_text_expires_at ON moderation.decisions (text_expires_at) WHERE normalised IS NOT NULL;
COMMENT ON COLUMN moderation.decisions.digest IS 'SHA-256 of the text as posted: recognises it without keeping it';
COMMENT ON COLUMN moderation.decisions.normalised IS 'the text that was judged, kept until text_expires_at';
