DELETE FROM tolerated_migrations WHERE version = '20261121000006';
DROP TRIGGER users_changed ON users;
CREATE TRIGGER users_changed AFTER UPDATE OF email, full_name, role, is_active, theft_noticed_at ON users
    FOR EACH ROW EXECUTE FUNCTION users_changed();
ALTER TABLE users DROP COLUMN time_zone;
