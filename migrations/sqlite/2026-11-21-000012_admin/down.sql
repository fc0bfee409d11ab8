DELETE FROM tolerated_migrations WHERE version = '20261121000012';
DROP TABLE daily_counts;
DROP INDEX users_by_last_name;
DROP INDEX users_by_name;
DROP INDEX auth_events_by_kind;
