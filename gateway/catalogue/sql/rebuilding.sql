-- name: unfinished
SELECT rebuilding FROM archive;

-- name: lock
SELECT rebuilding FROM archive FOR NO KEY UPDATE;

-- name: occupied
SELECT EXISTS (SELECT FROM vault) OR EXISTS (SELECT FROM node) OR EXISTS (SELECT FROM application_entity);

-- name: set
UPDATE archive SET rebuilding = $1;

-- name: volumes
SELECT id FROM volume;

-- A vault of which no fact is left is named after its id; so is one whose name another vault has.
-- name: insert_vault
INSERT INTO vault (id, name)
SELECT $1::uuid, CASE WHEN $2::text = '' OR EXISTS (SELECT FROM vault WHERE name = $2) THEN 'recovered ' || $1::uuid ELSE $2 END
WHERE NOT EXISTS (SELECT FROM vault WHERE id = $1);

-- name: study
SELECT rebuild_study($1, $2, $3, $4::text[]);

-- name: insert_volume
INSERT INTO volume (
    id, key, study, vault, node, kind, state, instances, uncommitted, planned_at, stored_at, verified_at, received_from,
    received_to, length, data_length, supersedes, superseded_by, digest, block)
SELECT $1, $2, $3, $4, $5, $6::text, 'verified', $7::int, CASE $6::text WHEN 'kept' THEN $7::int ELSE 0 END, $8, now(), now(),
    $9, $10, $11, $12, $13::text[],
    (SELECT min(other.id) FROM volume other WHERE $1 = ANY (other.supersedes) AND other.study = $3), $14, $15
ON CONFLICT (id) DO NOTHING
RETURNING id;

-- name: digest
SELECT digest FROM volume WHERE id = $1 AND vault = $2;

-- name: supersede
UPDATE volume SET superseded_by = $1 WHERE id = ANY ($2::text[]) AND study = $3 AND superseded_by IS NULL;

-- name: lock_volumes
SELECT id, instances FROM volume WHERE id = ANY ($1::text[]) AND vault = $2 AND kind = 'kept' ORDER BY id FOR NO KEY UPDATE;

-- name: blocks
SELECT id, block FROM volume WHERE id = ANY ($1::text[]) AND vault = $2 AND kind = 'kept';

-- name: uncommitted
SELECT count(*)::int FROM volume WHERE uncommitted > 0 AND superseded_by IS NULL;

-- name: insert_fact
INSERT INTO fact (id, vault, kind, decided_at, written_at) VALUES ($1, $2, $3, $4, now()) ON CONFLICT (id) DO NOTHING;

-- Vaults whose fact was lost leave one again.
-- name: missing_facts
INSERT INTO fact (vault, kind, payload)
SELECT v.id, 'vault', vault_fact(v.id, v.name) FROM vault v
WHERE NOT EXISTS (SELECT FROM fact f WHERE f.vault = v.id AND f.kind = 'vault');
