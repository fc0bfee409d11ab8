DELETE FROM tolerated_migrations WHERE version = '20261121000004';
DROP TRIGGER users_changed;
CREATE TRIGGER users_changed AFTER UPDATE OF email, full_name, role, is_active ON users
BEGIN
    INSERT INTO changes (subject, subject_id, changed_at) VALUES ('user', NEW.id, unixepoch());
END;
ALTER TABLE users DROP COLUMN previous_login_at;
DROP TABLE mail_limits;
