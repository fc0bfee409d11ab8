-- Times are Unix seconds in UTC.

-- What an older program needs to know to run on this database: one that does not know the migration `version` may, if it
-- knows the migration `known`. A migration without a row here shuts out whoever does not know it.
CREATE TABLE tolerated_migrations (
    version TEXT PRIMARY KEY NOT NULL,
    known   TEXT NOT NULL
);

CREATE TABLE users (
    id               INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    email            TEXT    NOT NULL UNIQUE COLLATE NOCASE,
    full_name        TEXT    NOT NULL,
    password_hash    TEXT    NOT NULL,
    role             TEXT    NOT NULL DEFAULT 'user' CHECK (role IN ('user', 'admin')),
    is_active        BOOLEAN NOT NULL DEFAULT TRUE,
    created_at       BIGINT  NOT NULL,
    last_login_at    BIGINT,
    -- When one of the user's sign-ins was last found in two hands; the event tells more.
    theft_noticed_at BIGINT
);

-- One row a sign-in on one device, updated in place as its refresh token rotates.
CREATE TABLE sessions (
    id               TEXT    PRIMARY KEY NOT NULL,
    user_id          BIGINT  NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    generation       BIGINT  NOT NULL,
    token_hash       BLOB    NOT NULL CHECK (length(token_hash) = 32),
    previous_hash    BLOB    CHECK (length(previous_hash) = 32),
    rotated_at       BIGINT  NOT NULL,
    created_at       BIGINT  NOT NULL,
    authenticated_at BIGINT  NOT NULL,
    last_seen_at     BIGINT  NOT NULL,
    expires_at       BIGINT  NOT NULL,
    kept             BOOLEAN NOT NULL,
    revoked_at       BIGINT,
    revoked_because  TEXT,
    user_agent       TEXT    NOT NULL,
    address          TEXT    NOT NULL,
    CHECK (revoked_because IS NOT NULL OR revoked_at IS NULL)
) WITHOUT ROWID;
CREATE INDEX sessions_by_user ON sessions (user_id);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

CREATE TABLE auth_tokens (
    token_hash BLOB   PRIMARY KEY NOT NULL CHECK (length(token_hash) = 32),
    token_type TEXT   NOT NULL CHECK (token_type IN ('password_reset', 'email_verification')),
    user_id    BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    email      TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at    BIGINT
) WITHOUT ROWID;
CREATE INDEX auth_tokens_by_user ON auth_tokens (user_id);
CREATE INDEX auth_tokens_by_expiry ON auth_tokens (expires_at);

CREATE TABLE auth_events (
    id         INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    user_id    BIGINT  REFERENCES users (id) ON DELETE SET NULL,
    event_type TEXT    NOT NULL,
    details    TEXT    NOT NULL,
    created_at BIGINT  NOT NULL
);
CREATE INDEX auth_events_by_user ON auth_events (user_id, id);
CREATE INDEX auth_events_by_time ON auth_events (created_at);

-- The keys of the HMAC before bcrypt.
CREATE TABLE peppers (
    id         INTEGER PRIMARY KEY NOT NULL,
    key        BLOB    NOT NULL CHECK (length(key) = 32),
    created_at BIGINT  NOT NULL
);

-- What every process on this database must forget: written by triggers, so that no writer can leave it out.
CREATE TABLE changes (
    sequence   INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    subject    TEXT    NOT NULL CHECK (subject IN ('user', 'session')),
    subject_id TEXT    NOT NULL,
    changed_at BIGINT  NOT NULL
);

CREATE TRIGGER users_changed AFTER UPDATE OF email, full_name, role, is_active ON users
BEGIN
    INSERT INTO changes (subject, subject_id, changed_at) VALUES ('user', NEW.id, unixepoch());
END;

CREATE TRIGGER users_deleted AFTER DELETE ON users
BEGIN
    INSERT INTO changes (subject, subject_id, changed_at) VALUES ('user', OLD.id, unixepoch());
END;

CREATE TRIGGER sessions_ended AFTER UPDATE OF user_id, expires_at, revoked_at ON sessions
BEGIN
    INSERT INTO changes (subject, subject_id, changed_at) VALUES ('session', NEW.id, unixepoch());
END;

-- Rows that expired before they were deleted open nothing anyway.
CREATE TRIGGER sessions_deleted AFTER DELETE ON sessions WHEN OLD.revoked_at IS NULL AND OLD.expires_at > unixepoch()
BEGIN
    INSERT INTO changes (subject, subject_id, changed_at) VALUES ('session', OLD.id, unixepoch());
END;
