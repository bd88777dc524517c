-- Effects that happen once, who may still cause them, and work that waits for its time.
CREATE SCHEMA streams;

-- An event that a handler has taken: inserted in the transaction of its effect.
CREATE TABLE streams.claims (
    consumer_group text NOT NULL,
    event_key      text NOT NULL,
    claimed_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer_group, event_key)
);
CREATE INDEX claims_claimed_at ON streams.claims USING brin (claimed_at);
COMMENT ON COLUMN streams.claims.event_key IS 'type, entity id and version of the happening: the same for a duplicate';

-- The newest lease of each partition: a worker with an older token may claim nothing any more.
CREATE TABLE streams.fences (
    consumer_group text NOT NULL,
    partition      smallint NOT NULL,
    token          bigint NOT NULL,
    PRIMARY KEY (consumer_group, partition)
);

CREATE SEQUENCE streams.schedule_version;

CREATE TABLE streams.schedule (
    kind       text NOT NULL,
    key        text NOT NULL,
    due_at     timestamptz NOT NULL,
    next_at    timestamptz NOT NULL,
    payload    jsonb NOT NULL,
    version    bigint NOT NULL DEFAULT nextval('streams.schedule_version'),
    attempts   integer NOT NULL DEFAULT 0,
    failures   integer NOT NULL DEFAULT 0,
    failed_at  timestamptz,
    error      text,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (kind, key)
);
CREATE INDEX schedule_next_at ON streams.schedule (next_at) WHERE failed_at IS NULL;
COMMENT ON COLUMN streams.schedule.next_at IS 'when a worker may take it: due_at, then the end of its time, or of the wait for a retry';
COMMENT ON COLUMN streams.schedule.version IS 'changes when the work is scheduled anew, so that the end of an older run does not remove it';
COMMENT ON COLUMN streams.schedule.failed_at IS 'given up: shown by `gatehouse dead-letters`';
