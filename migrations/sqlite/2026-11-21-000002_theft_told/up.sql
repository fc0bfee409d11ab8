-- When the user was last told by mail of a theft: one that was noticed later, by a process that ended before its mail went
-- out, is told by another.
ALTER TABLE users ADD COLUMN theft_told_at BIGINT;
CREATE INDEX users_untold ON users (theft_noticed_at)
    WHERE theft_noticed_at IS NOT NULL AND (theft_told_at IS NULL OR theft_told_at < theft_noticed_at);

-- An expansion: the version before neither reads nor writes what is new.
INSERT INTO tolerated_migrations (version, known) VALUES ('20261121000002', '20261121000001');
