-- When the user was last welcomed back, as the time of the use before: of all pages and processes, one does.
ALTER TABLE sessions ADD COLUMN welcomed_at BIGINT;

-- Which session each sign-in form has begun: its button clicked twice begins one. Forms are known by their hash.
CREATE TABLE sign_in_forms (
    form_hash  BLOB   PRIMARY KEY NOT NULL CHECK (length(form_hash) = 32),
    session_id TEXT   NOT NULL,
    used_at    BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX sign_in_forms_by_time ON sign_in_forms (used_at);

-- The clock that retention goes by: it advances with running time, so that a wall clock that jumps deletes nothing.
CREATE TABLE retention_clock (
    id          INTEGER PRIMARY KEY NOT NULL CHECK (id = 1),
    reached_at  BIGINT  NOT NULL,
    advanced_at BIGINT  NOT NULL
);

-- REPLACE INTO deletes a row without its trigger.
CREATE TRIGGER sessions_replaced BEFORE INSERT ON sessions WHEN EXISTS (SELECT 1 FROM sessions WHERE id = NEW.id)
BEGIN
    INSERT INTO changes (subject, subject_id, changed_at) VALUES ('session', NEW.id, unixepoch());
END;

CREATE TRIGGER users_replaced BEFORE INSERT ON users
WHEN EXISTS (SELECT 1 FROM users WHERE id = NEW.id OR email = NEW.email)
BEGIN
    INSERT INTO changes (subject, subject_id, changed_at)
    SELECT 'user', id, unixepoch() FROM users WHERE id = NEW.id OR email = NEW.email;
END;

-- So does UPDATE OR REPLACE, to whoever has the address.
CREATE TRIGGER users_displaced BEFORE UPDATE OF id, email ON users
WHEN EXISTS (SELECT 1 FROM users WHERE id <> OLD.id AND (id = NEW.id OR email = NEW.email))
BEGIN
    INSERT INTO changes (subject, subject_id, changed_at)
    SELECT 'user', id, unixepoch() FROM users WHERE id <> OLD.id AND (id = NEW.id OR email = NEW.email);
END;

-- Roles are an application's own words. A table cannot lose a CHECK otherwise without being copied, and this is how SQLite
-- recommends it (https://www.sqlite.org/lang_altertable.html, "Making Other Kinds Of Table Schema Changes").
PRAGMA writable_schema = ON;
UPDATE sqlite_master SET sql = replace(sql, ' CHECK (role IN (''user'', ''admin''))', '')
WHERE type = 'table' AND name = 'users';
PRAGMA writable_schema = RESET;

-- What each live process announces. All times are of the database's clock; a row is good for 30 seconds from `heard_at`.
CREATE TABLE nodes (
    id           TEXT   PRIMARY KEY NOT NULL,
    version      TEXT   NOT NULL,
    -- The names of its signing keys in their order, separated by spaces: it wants the first to sign.
    key_ids      TEXT   NOT NULL,
    lifetimes    TEXT   NOT NULL,
    -- What this process can do that not every version can, separated by spaces.
    capabilities TEXT   NOT NULL DEFAULT '',
    host         TEXT   NOT NULL,
    pid          BIGINT NOT NULL,
    started_at   BIGINT NOT NULL,
    heard_at     BIGINT NOT NULL
) WITHOUT ROWID;

-- The key that signs, in one row: whoever joins, moves the key or drops one locks it first. `revision` counts what changed
-- here and in `dropped_keys`, so that of two readings each process knows the newer one.
CREATE TABLE signing_key (
    id       INTEGER PRIMARY KEY NOT NULL CHECK (id = 1),
    key_id   TEXT,
    moved_at BIGINT,
    revision BIGINT  NOT NULL DEFAULT 0
);
INSERT INTO signing_key (id) VALUES (1);

-- Keys that open nothing any more, whoever still has them.
CREATE TABLE dropped_keys (
    key_id     TEXT   PRIMARY KEY NOT NULL,
    dropped_at BIGINT NOT NULL
) WITHOUT ROWID;

-- A third subject of changes. SQLite cannot alter a CHECK, and building the table anew would copy a day of changes while
-- every writer waits. So the text of the table is edited, as SQLite documents it for changes that touch no row
-- (https://www.sqlite.org/lang_altertable.html#otheralter); the triggers below raise the version of the schema, by which
-- every other connection reads it anew.
PRAGMA writable_schema = ON;
UPDATE sqlite_schema
    SET sql = replace(sql, 'subject IN (''user'', ''session'')', 'subject IN (''user'', ''session'', ''key'')')
    WHERE type = 'table' AND name = 'changes';
PRAGMA writable_schema = RESET;

CREATE TRIGGER keys_changed AFTER UPDATE OF key_id, revision ON signing_key
BEGIN
    INSERT INTO changes (subject, subject_id, changed_at) VALUES ('key', coalesce(NEW.key_id, ''), unixepoch());
END;

CREATE TRIGGER key_dropped AFTER INSERT ON dropped_keys
BEGIN
    UPDATE signing_key SET revision = revision + 1;
END;

-- E-mails that wait to be sent: written in the transaction of the act that they tell of, deleted once the mail server has
-- them. A row that was refused for good keeps no body, and stays for a while for whoever looks after the server.
CREATE TABLE outbox (
    id           INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    -- The left half of the header Message-ID: the same in every attempt.
    message_id   TEXT    NOT NULL UNIQUE,
    recipient    TEXT    NOT NULL,
    subject      TEXT    NOT NULL,
    created_at   BIGINT  NOT NULL,
    -- When it is of no use any more, sent or not.
    expires_at   BIGINT  NOT NULL,
    -- When it may be tried again; 0 for at once.
    due_at       BIGINT  NOT NULL DEFAULT 0,
    -- How often it was taken, which tells one lease from the next.
    attempts     BIGINT  NOT NULL DEFAULT 0,
    -- How often the mail server put it off, which decides how long the next pause is.
    deferrals    BIGINT  NOT NULL DEFAULT 0,
    -- Until when one process alone is sending it; 0 for nobody.
    leased_until BIGINT  NOT NULL DEFAULT 0,
    refused_at   BIGINT,
    refusal      TEXT,
    text         TEXT    NOT NULL,
    html         TEXT    NOT NULL,
    CHECK ((refused_at IS NULL) = (refusal IS NULL)),
    CHECK (refused_at IS NULL OR (text = '' AND html = ''))
);
CREATE INDEX outbox_waiting ON outbox (due_at, id) WHERE refused_at IS NULL;
CREATE INDEX outbox_by_expiry ON outbox (expires_at);

-- An expansion: the version before neither reads nor writes what is new, and passes over a subject that it does not know.
INSERT INTO tolerated_migrations (version, known) VALUES ('20261121000003', '20261121000002');
