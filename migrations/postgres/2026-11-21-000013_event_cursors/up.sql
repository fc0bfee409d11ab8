-- How far each hook of an application has come in the audit trail. A hook that is removed leaves its row behind, which
-- keeps no event and goes by itself.
CREATE TABLE event_cursors (
    name         TEXT   PRIMARY KEY,
    -- Every event up to this number was delivered, but for those that had not been committed yet.
    position     BIGINT NOT NULL,
    -- The numbers of those, as in "7 12-15".
    missing      TEXT   NOT NULL,
    -- How often a process took the hook over: whoever wrote this number delivers, until its lease runs out.
    lease        BIGINT NOT NULL,
    leased_until BIGINT NOT NULL,
    -- How often in a row the hook failed, and when it is called again.
    failures     BIGINT NOT NULL,
    retry_at     BIGINT NOT NULL,
    -- When a process last had this hook, to the day.
    used_at      BIGINT NOT NULL
);

-- An expansion: whoever may go on beside the migration before may go on beside this one. The version before has no hooks.
INSERT INTO tolerated_migrations (version, known) VALUES ('20261121000013', '20261121000002');
