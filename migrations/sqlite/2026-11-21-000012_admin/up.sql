-- Events of one kind, the newest first, and how many there are of a day: the pages of the administration ask for both.
CREATE INDEX auth_events_by_kind ON auth_events (event_type, created_at, id);

-- Where a search begins: at the address, which has an index of its own, at the name, and at the name after its first word.
CREATE INDEX users_by_name ON users (lower(full_name));
CREATE INDEX users_by_last_name ON users (lower(substr(full_name, instr(full_name, ' ') + 1)));

-- What was counted of each day that is over: days since 1970, in UTC. Charts read it in place of the events.
CREATE TABLE daily_counts (
    day   BIGINT NOT NULL,
    kind  TEXT   NOT NULL,
    count BIGINT NOT NULL,
    PRIMARY KEY (day, kind)
) WITHOUT ROWID;

-- An expansion: whoever may go on beside the migration before may go on beside this one. The version before counts
-- nothing by the day, and its rows have the indexes of this one.
INSERT INTO tolerated_migrations (version, known) VALUES ('20261121000012', '20261121000002');
