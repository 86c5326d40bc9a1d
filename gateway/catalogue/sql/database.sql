-- name: set_vaults
SELECT set_config('kuva.vaults', ($1::uuid[])::text, true);

-- name: ping
SELECT 1;
