-- name: set_vaults
SELECT set_config('kuva.vaults', ($1::uuid[])::text, true);

-- name: ping
SELECT 1;

-- name: check
SELECT current_setting('server_version_num')::int AS version,
       r.rolsuper AS superuser,
       r.rolbypassrls AS bypass,
       coalesce((SELECT pg_has_role(n.nspowner, 'MEMBER') FROM pg_namespace n WHERE n.nspname = 'kuva'), false) AS owns,
       current_setting('fsync') AS fsync,
       current_setting('full_page_writes') AS full_page_writes,
       current_setting('synchronous_commit') AS synchronous_commit,
       current_setting('server_encoding') AS encoding
FROM pg_roles r WHERE r.rolname = current_user;
