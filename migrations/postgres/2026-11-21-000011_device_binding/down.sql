DELETE FROM tolerated_migrations WHERE version = '20261121000011';
ALTER TABLE sessions DROP COLUMN proved_generation;
ALTER TABLE sessions DROP COLUMN device_key;
