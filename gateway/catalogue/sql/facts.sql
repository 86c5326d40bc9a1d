-- name: unwritten
SELECT id, vault, kind, decided_at, payload FROM fact WHERE written_at IS NULL ORDER BY id LIMIT $1;

-- name: written
UPDATE fact SET written_at = now(), payload = NULL WHERE id = ANY ($1::text[]) AND written_at IS NULL;

-- name: renew
UPDATE fact SET id = ulid() WHERE id = $1 AND written_at IS NULL;

-- name: waiting
SELECT count(*)::int AS facts, min(decided_at) AS oldest FROM fact WHERE written_at IS NULL;
