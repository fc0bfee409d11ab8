CREATE TABLE notes (
    id      INTEGER PRIMARY KEY,
    user_id BIGINT  NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    line    TEXT    NOT NULL
);
