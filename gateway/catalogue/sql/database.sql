-- name: set_vaults
SELECT set_config('kuva.vaults', ($1::uuid[])::text, true);

-- name: set_every_vault
SELECT set_config('kuva.vaults', coalesce((SELECT array_agg(id) FROM vault), '{}')::text, true);

-- name: ping
SELECT 1;
