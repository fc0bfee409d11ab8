-- Whether the sign-in was begun on a computer that others use too: it ends with the browser, or after half an hour unused.
ALTER TABLE sessions ADD COLUMN shared_computer BOOLEAN NOT NULL DEFAULT FALSE;

-- An expansion: whoever may go on beside the migration before may go on beside this one. To the version before, such a
-- sign-in is one that ends with the browser.
INSERT INTO tolerated_migrations (version, known) VALUES ('20261121000009', '20261121000002');
