-- Moderation: a review item is posted once, whoever posts it; what waits to be carried out is found by index.
ALTER TABLE moderation.review_items
    ADD COLUMN posting_channel bigint,
    ADD COLUMN posting_since   timestamptz,
    ADD COLUMN posting_until   timestamptz;
COMMENT ON COLUMN moderation.review_items.posting_channel IS 'where it was first tried to be posted, until it is known to be there';
COMMENT ON COLUMN moderation.review_items.posting_since IS 'when that was: from then on a message of it may be in that channel';
COMMENT ON COLUMN moderation.review_items.posting_until IS 'until then one worker posts it and no other does';

-- A migration is one transaction, so not concurrently: new cases wait while it is made.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX cases_recorded ON moderation.cases (guild_id, number) WHERE state = 'recorded';
