CREATE TABLE notes (
    id        INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    -- Perennial's users: whoever deletes their account deletes their notes.
    user_id   BIGINT  NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    text      TEXT    NOT NULL,
    file_name TEXT,
    file      BLOB,
    -- The event that it was written for, by which one that is delivered twice writes one note.
    event_id  BIGINT  UNIQUE
);
CREATE INDEX notes_by_user ON notes (user_id, id);
