-- Moderation: the ends of the audit logs are protected as the logs are; without them, rows cut off are not missed.
CREATE FUNCTION moderation.refuse_head_change() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'moderation.audit_heads only moves on by one entry' USING ERRCODE = 'insufficient_privilege';
END
$$;

CREATE TRIGGER audit_heads_only_move_on
BEFORE UPDATE ON moderation.audit_heads
FOR EACH ROW
WHEN (new.guild_id IS DISTINCT FROM old.guild_id OR new.position IS DISTINCT FROM old.position + 1)
EXECUTE FUNCTION moderation.refuse_head_change();

CREATE TRIGGER audit_heads_are_not_deleted
BEFORE DELETE ON moderation.audit_heads
FOR EACH ROW EXECUTE FUNCTION moderation.refuse_head_change();

CREATE TRIGGER audit_heads_are_not_truncated
BEFORE TRUNCATE ON moderation.audit_heads
FOR EACH STATEMENT EXECUTE FUNCTION moderation.refuse_head_change();
