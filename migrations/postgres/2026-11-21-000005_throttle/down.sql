DELETE FROM tolerated_migrations WHERE version = '20261121000005';
DROP TABLE throttle_counters;
