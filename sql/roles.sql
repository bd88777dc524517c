-- Least rights in the database, for an installation whose processes do not own the schema.
--
-- Run it as the owner, after every `gatehouse migrate`; running it again changes nothing:
--     psql "$OWNER_DATABASE_URL" -v ON_ERROR_STOP=1 -f sql/roles.sql
-- It makes a group role. Give it to the login that stands in DATABASE_URL:
--     CREATE ROLE gatehouse LOGIN PASSWORD '…'; GRANT gatehouse_app TO gatehouse;
--
-- The application may read and write its tables and nothing else: it cannot change the schema, and of the audit log it
-- can neither change nor delete a row. Who has the application's password can therefore not hide what was done.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'gatehouse_app') THEN
        CREATE ROLE gatehouse_app NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN NULL;  -- somebody else made it at the same time
END
$$;

REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public, tenancy, interactions, streams, moderation TO gatehouse_app;

-- `gatehouse doctor` and the start of every process look whether the schema is up to date.
GRANT SELECT ON public.schema_migrations TO gatehouse_app;

GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA tenancy, interactions, streams, moderation TO gatehouse_app;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA tenancy, interactions, streams, moderation TO gatehouse_app;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA tenancy, interactions, streams, moderation TO gatehouse_app;

-- Append-only: rows are added, never changed.
REVOKE UPDATE, DELETE, TRUNCATE ON moderation.audit_log, moderation.rule_versions, moderation.case_notes FROM gatehouse_app;
-- Counters and cases only grow.
REVOKE DELETE, TRUNCATE ON moderation.audit_heads, moderation.case_counters, moderation.cases FROM gatehouse_app;
