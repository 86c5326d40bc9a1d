-- name: estimates
SELECT coalesce(sum(greatest(c.reltuples, 0)) FILTER (WHERE c.relname = 'study'), 0)::bigint AS studies,
       coalesce(sum(greatest(c.reltuples, 0)) FILTER (WHERE c.relname LIKE 'locator%' AND c.relkind = 'r'), 0)::bigint AS instances,
       coalesce(sum(pg_total_relation_size(c.oid)) FILTER (WHERE c.relkind = 'r'), 0)::bigint AS bytes
FROM pg_class c WHERE c.relnamespace = 'kuva'::regnamespace AND c.relkind IN ('r', 'p');

-- name: open_incidents
SELECT kind, count(*) AS incidents FROM incident WHERE state = 'open' AND vault = ANY ($1::uuid[]) GROUP BY kind;

-- Partitions counted with their parents.
-- name: sizes
SELECT regexp_replace(c.relname, '_[0-9_]+$', '') AS name, sum(pg_total_relation_size(c.oid))::bigint AS bytes,
       sum(pg_indexes_size(c.oid))::bigint AS indexes
FROM pg_class c WHERE c.relnamespace = 'kuva'::regnamespace AND c.relkind = 'r' GROUP BY 1 ORDER BY 1;
