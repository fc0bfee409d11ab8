DELETE FROM tolerated_migrations WHERE version = '20261121000008';
DROP TABLE kept_forms;
