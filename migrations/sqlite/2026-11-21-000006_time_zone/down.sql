DELETE FROM tolerated_migrations WHERE version = '20261121000006';
DROP TRIGGER users_changed;
CREATE TRIGGER users_changed AFTER UPDATE OF email, full_name, role, is_active, theft_noticed_at ON users
BEGIN
    INSERT INTO changes (subject, subject_id, changed_at) VALUES ('user', NEW.id, unixepoch());
END;
ALTER TABLE users DROP COLUMN time_zone;
