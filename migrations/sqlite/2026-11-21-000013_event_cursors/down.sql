DELETE FROM tolerated_migrations WHERE version = '20261121000013';
DROP TABLE event_cursors;
