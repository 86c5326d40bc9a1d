-- name: lock
SELECT pg_advisory_lock(hashtext('kuva.migrate'));

-- name: table
CREATE TABLE IF NOT EXISTS public.kuva_migration (
    number      integer     PRIMARY KEY,
    name        text        NOT NULL,
    checksum    bytea       NOT NULL,
    applied_at  timestamptz NOT NULL DEFAULT now()
);
GRANT SELECT ON public.kuva_migration TO kuva_gateway;

-- name: exists
SELECT to_regclass('public.kuva_migration');

-- name: applied
SELECT number, checksum FROM public.kuva_migration;

-- name: record
INSERT INTO public.kuva_migration (number, name, checksum) VALUES ($1, $2, $3);
