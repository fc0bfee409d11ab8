DELETE FROM tolerated_migrations WHERE version = '20261121000007';
ALTER TABLE users DROP COLUMN email_refused_at;
DROP TABLE notice_links;
DROP TABLE pending_registrations;
