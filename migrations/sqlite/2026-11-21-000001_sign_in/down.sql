DROP TABLE changes;
DROP TABLE peppers;
DROP TABLE auth_events;
DROP TABLE auth_tokens;
DROP TABLE sessions;
DROP TABLE users;
DROP TABLE tolerated_migrations;
