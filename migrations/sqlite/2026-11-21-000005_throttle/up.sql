-- How many tries to sign in failed: of an account by its address, whether there is such an account or not, of a client
-- address, of all, and of a device that has signed in to an account before. Each row is found by a hash of what it counts.
CREATE TABLE throttle_counters (
    key_hash     BLOB   PRIMARY KEY NOT NULL CHECK (length(key_hash) = 32),
    -- Of a device, the account that it is known to: a device that is known has a row, with or without failures.
    account_hash BLOB   CHECK (length(account_hash) = 32),
    tries        BIGINT NOT NULL CHECK (tries >= 0),
    -- When the last one failed; of a client address, or of all, when the first of the span was.
    counted_at   BIGINT NOT NULL,
    -- When the row is of no use any more; NULL for one that stays until its account has a success.
    expires_at   BIGINT
) WITHOUT ROWID;
CREATE INDEX throttle_counters_by_account ON throttle_counters (account_hash);
CREATE INDEX throttle_counters_by_end ON throttle_counters (expires_at);

-- An expansion: whoever may go on beside the migration before may go on beside this one. The version before counts
-- nothing.
INSERT INTO tolerated_migrations (version, known) VALUES ('20261121000005', '20261121000002');
