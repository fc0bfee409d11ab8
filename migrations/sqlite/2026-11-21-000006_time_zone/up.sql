-- The time zone that the user reads times in, by its name in the IANA database; NULL for UTC.
ALTER TABLE users ADD COLUMN time_zone TEXT;

-- Another time zone concerns every page of theirs.
DROP TRIGGER users_changed;
CREATE TRIGGER users_changed AFTER UPDATE OF email, full_name, role, is_active, theft_noticed_at, time_zone ON users
BEGIN
    INSERT INTO changes (subject, subject_id, changed_at) VALUES ('user', NEW.id, unixepoch());
END;

-- An expansion: whoever may go on beside the migration before may go on beside this one. The version before knows no time
-- zones.
INSERT INTO tolerated_migrations (version, known) VALUES ('20261121000006', '20261121000002');
