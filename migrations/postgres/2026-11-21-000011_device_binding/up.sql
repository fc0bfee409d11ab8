-- The public key of the device that a sign-in is bound to: x and y of a point on P-256.
ALTER TABLE sessions ADD COLUMN device_key BYTEA CHECK (length(device_key) = 64);

-- The generation at which that device last proved that it holds the key. The sign-in is bound while it is the one of the
-- row; a rotation without a proof unbinds it, and a version that knows no keys rotates without one.
ALTER TABLE sessions ADD COLUMN proved_generation BIGINT;

-- An expansion: whoever may go on beside the migration before may go on beside this one.
INSERT INTO tolerated_migrations (version, known) VALUES ('20261121000011', '20261121000002');
