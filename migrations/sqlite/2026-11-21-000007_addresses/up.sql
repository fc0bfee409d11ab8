-- Accounts that somebody asked for and whose address nobody has confirmed: each is found by the hash of the token in its
-- link, and becomes an account once that link is used. Several may wait for one address; only that of the link counts.
CREATE TABLE pending_registrations (
    token_hash    BLOB    PRIMARY KEY NOT NULL CHECK (length(token_hash) = 32),
    email         TEXT    NOT NULL,
    full_name     TEXT    NOT NULL,
    password_hash TEXT    NOT NULL,
    -- The browser that asked, by the hash of its form cookie: it alone can have the link sent again.
    browser_hash  BLOB    CHECK (length(browser_hash) = 32),
    may_be_first  BOOLEAN NOT NULL,
    kept          BOOLEAN NOT NULL,
    created_at    BIGINT  NOT NULL,
    expires_at    BIGINT  NOT NULL,
    -- When the link was used, and the account that came of it.
    used_at       BIGINT,
    user_id       BIGINT  REFERENCES users (id) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX pending_registrations_by_email ON pending_registrations (email);
CREATE INDEX pending_registrations_by_expiry ON pending_registrations (expires_at);
CREATE INDEX pending_registrations_by_user ON pending_registrations (user_id);

-- The links in notices to owners: one undoes a change of address, one ends a sign-in. A row goes when its link is used.
CREATE TABLE notice_links (
    -- The order in which they were made: undoing a change takes every later one along.
    id         INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    token_hash BLOB   NOT NULL UNIQUE CHECK (length(token_hash) = 32),
    user_id    BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- The address that comes back; NULL of a link that ends a sign-in.
    email      TEXT,
    -- The sign-in that ends; NULL of a link that undoes a change.
    session_id TEXT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    CHECK ((email IS NULL) <> (session_id IS NULL))
);
CREATE INDEX notice_links_by_user ON notice_links (user_id);
CREATE INDEX notice_links_by_email ON notice_links (email);
CREATE INDEX notice_links_by_expiry ON notice_links (expires_at);

-- When a mail server last refused mail to the address of the account; NULL once it takes some.
ALTER TABLE users ADD COLUMN email_refused_at BIGINT;

-- An expansion: whoever may go on beside the migration before may go on beside this one. The version before makes accounts
-- at once, and changes no address.
INSERT INTO tolerated_migrations (version, known) VALUES ('20261121000007', '20261121000002');
