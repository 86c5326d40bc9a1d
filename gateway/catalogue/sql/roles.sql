-- Once per PostgreSQL server, by a superuser, before the first migration. The embedded server does it
-- itself; on a server of your own give both roles a way to log in (password, certificate) as you do there.
-- The owner owns the schema and runs migrations. The gateway is a plain role: it owns nothing, so that
-- row-level security binds it.

-- name: owner_role
CREATE ROLE kuva_owner LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE;

-- name: gateway_role
CREATE ROLE kuva_gateway LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE;

-- name: database
CREATE DATABASE kuva OWNER kuva_owner ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0;
