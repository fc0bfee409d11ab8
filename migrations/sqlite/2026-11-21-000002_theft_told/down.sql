DELETE FROM tolerated_migrations WHERE version = '20261121000002';
DROP INDEX users_untold;
ALTER TABLE users DROP COLUMN theft_told_at;
