DELETE FROM tolerated_migrations WHERE version = '20261121000009';
ALTER TABLE sessions DROP COLUMN shared_computer;
