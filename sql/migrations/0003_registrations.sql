-- What `gatehouse commands sync` has registered with Discord, newest last.
CREATE TABLE interactions.registrations (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    guild_id      bigint NOT NULL DEFAULT 0,
    version       text NOT NULL,
    git_revision  text,
    commands      integer NOT NULL,
    changes       integer NOT NULL,
    registered_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX registrations_guild_id ON interactions.registrations (guild_id, id DESC);
COMMENT ON COLUMN interactions.registrations.guild_id IS '0: the global commands';
COMMENT ON COLUMN interactions.registrations.version IS 'first 16 hex digits of the SHA-256 of the manifest';
COMMENT ON COLUMN interactions.registrations.changes IS 'commands created, updated or deleted';
