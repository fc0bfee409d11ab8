DROP TABLE outbox;
DROP TRIGGER keys_changed ON signing_key;
DROP TRIGGER key_dropped ON dropped_keys;
DROP FUNCTION keys_changed;
DROP FUNCTION key_dropped;
DELETE FROM changes WHERE subject = 'key';
ALTER TABLE changes
    DROP CONSTRAINT changes_subject_check,
    ADD CONSTRAINT changes_subject_check CHECK (subject IN ('user', 'session'));
DROP TABLE dropped_keys;
DROP TABLE signing_key;
DROP TABLE nodes;
ALTER TABLE users ADD CONSTRAINT users_role_check CHECK (role IN ('user', 'admin'));
DROP TABLE retention_clock;
DROP TABLE sign_in_forms;
ALTER TABLE sessions DROP COLUMN welcomed_at;
DELETE FROM tolerated_migrations WHERE version = '20261121000003';
