-- name: role_exists
SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1);

-- name: database_exists
SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1);
