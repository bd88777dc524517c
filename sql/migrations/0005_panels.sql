-- Panels: messages with buttons that admins post, and the votes of polls.
CREATE TABLE interactions.panels (
    panel_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    guild_id   bigint NOT NULL,
    channel_id bigint NOT NULL,
    message_id bigint,
    author_id  bigint NOT NULL,
    kind       text NOT NULL CHECK (kind IN ('poll', 'roles')),
    locale     text NOT NULL,
    title      text NOT NULL,
    options    jsonb NOT NULL,
    only_one   boolean NOT NULL DEFAULT false,
    version    bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    closes_at  timestamptz,
    closed_at  timestamptz
);
CREATE INDEX panels_guild_id ON interactions.panels (guild_id);
COMMENT ON COLUMN interactions.panels.message_id IS 'NULL until Discord has the message';
COMMENT ON COLUMN interactions.panels.options IS '[{"id": 0, "label": "Yes"}, …]; the id of a role panel''s option is the role';
COMMENT ON COLUMN interactions.panels.version IS 'raised by each change of what people see; buttons carry the one they were made for';

CREATE TABLE interactions.poll_votes (
    panel_id bigint NOT NULL REFERENCES interactions.panels ON DELETE CASCADE,
    user_id  bigint NOT NULL,
    option   bigint NOT NULL,
    voted_at timestamptz NOT NULL,
    PRIMARY KEY (panel_id, user_id)
);
CREATE INDEX poll_votes_option ON interactions.poll_votes (panel_id, option);
CREATE INDEX poll_votes_user_id ON interactions.poll_votes (user_id);
