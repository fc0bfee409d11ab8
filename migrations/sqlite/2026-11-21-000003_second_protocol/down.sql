DROP TABLE outbox;
DROP TRIGGER keys_changed;
DROP TRIGGER key_dropped;
DELETE FROM changes WHERE subject = 'key';
PRAGMA writable_schema = ON;
UPDATE sqlite_schema
    SET sql = replace(sql, 'subject IN (''user'', ''session'', ''key'')', 'subject IN (''user'', ''session'')')
    WHERE type = 'table' AND name = 'changes';
PRAGMA writable_schema = RESET;
DROP TABLE dropped_keys;
DROP TABLE signing_key;
DROP TABLE nodes;
DROP TRIGGER users_displaced;
DROP TRIGGER users_replaced;
DROP TRIGGER sessions_replaced;
DROP TABLE retention_clock;
DROP TABLE sign_in_forms;
ALTER TABLE sessions DROP COLUMN welcomed_at;
DELETE FROM tolerated_migrations WHERE version = '20261121000003';
