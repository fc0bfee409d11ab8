DROP TABLE changes, peppers, auth_events, auth_tokens, sessions, users, tolerated_migrations;
DROP FUNCTION note_change, users_email, users_changed, users_deleted, sessions_ended, sessions_deleted;
