-- Forms that were sent without a sign-in, kept until their user has signed in again: who may see them, and until when.
CREATE TABLE kept_forms (
    id         BYTEA  PRIMARY KEY CHECK (length(id) = 16),
    user_id    BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    -- When it was sent after all: it is sent once.
    sent_at    BIGINT,
    -- The page that it stood on, encrypted: where to fill it in again.
    page       BYTEA  NOT NULL,
    -- Where it goes, and its fields, encrypted; NULL once it was sent or its time is over.
    fields     BYTEA
);
CREATE INDEX kept_forms_by_user ON kept_forms (user_id, created_at);
CREATE INDEX kept_forms_by_end ON kept_forms (expires_at);

-- An expansion: whoever may go on beside the migration before may go on beside this one. The version before keeps no form.
INSERT INTO tolerated_migrations (version, known) VALUES ('20261121000008', '20261121000002');
