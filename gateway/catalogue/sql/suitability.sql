-- name: server
SELECT current_setting('server_version_num')::int AS version,
       current_setting('server_version') AS version_text,
       current_setting('fsync') AS fsync,
       current_setting('full_page_writes') AS full_page_writes,
       current_setting('synchronous_commit') AS synchronous_commit,
       current_setting('server_encoding') AS encoding;

-- name: role
SELECT r.rolname AS name,
       r.rolsuper AS superuser,
       r.rolbypassrls AS bypass,
       coalesce((SELECT pg_has_role(n.nspowner, 'MEMBER') FROM pg_namespace n WHERE n.nspname = 'kuva'), false) AS owns,
       EXISTS (SELECT FROM pg_roles other
               WHERE (other.rolsuper OR other.rolbypassrls) AND pg_has_role(other.oid, 'MEMBER')) AS becomes,
       -- Every table with a vault in it, and the locator, whose rows belong to a study's vault; partitions
       -- are reached through their parents. Grants are read before any vault is known.
       (SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = 'kuva' AND c.relkind IN ('r', 'p') AND NOT c.relispartition
          AND c.relname NOT IN ('vault_attributes', 'ae_grant')
          AND (c.relname = 'locator' OR EXISTS (
              SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname IN ('vault', 'vaults') AND NOT a.attisdropped))
          AND NOT row_security_active(c.oid))::int AS unguarded
FROM pg_roles r WHERE r.rolname = current_user;
