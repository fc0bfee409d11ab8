-- The last five mails to each address that strangers can cause, by the hash of the address: once the first of them is an
-- hour old, another may go. Sent mail leaves no row in the outbox, so it cannot be counted there.
CREATE TABLE mail_limits (
    recipient_hash BYTEA  PRIMARY KEY CHECK (length(recipient_hash) = 32),
    first_at       BIGINT NOT NULL DEFAULT 0,
    second_at      BIGINT NOT NULL DEFAULT 0,
    third_at       BIGINT NOT NULL DEFAULT 0,
    fourth_at      BIGINT NOT NULL DEFAULT 0,
    fifth_at       BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX mail_limits_by_time ON mail_limits (fifth_at);

-- When the user signed in the time before the last; NULL if there was none, 0 if the version before did not note it.
ALTER TABLE users ADD COLUMN previous_login_at BIGINT DEFAULT 0;

-- A theft that is noticed, or that its owner has taken note of, concerns every page of theirs.
DROP TRIGGER users_changed ON users;
CREATE TRIGGER users_changed AFTER UPDATE OF email, full_name, role, is_active, theft_noticed_at ON users
    FOR EACH ROW EXECUTE FUNCTION users_changed();

-- An expansion: whoever may go on beside the migration before may go on beside this one. Nothing of what they read or
-- write has changed, and a program that only lacks this migration knows that one.
INSERT INTO tolerated_migrations (version, known) VALUES ('20261121000004', '20261121000002');
