-- name: raise_epoch
INSERT INTO node (id, name, epoch) VALUES ($1, $2, $3)
ON CONFLICT (id) DO UPDATE SET epoch = greatest(node.epoch + 1, excluded.epoch), name = excluded.name, started_at = now()
RETURNING epoch;

-- name: insert_epoch
INSERT INTO node_epoch (node, epoch) VALUES ($1, $2);

-- name: adopt_epochs
INSERT INTO node_epoch (node, epoch) SELECT $1, unnest($2::integer[]) ON CONFLICT DO NOTHING;

-- name: adopt_vaults
INSERT INTO vault (id, name) SELECT id, 'recovered ' || id FROM unnest($1::uuid[]) AS id ON CONFLICT DO NOTHING;

-- name: epochs
SELECT epoch, catalogued_through FROM node_epoch WHERE node = $1 ORDER BY epoch;

-- name: catalogued_through
SELECT catalogued_through FROM node_epoch WHERE node = $1 AND epoch = $2;

-- name: locator_key
SELECT locator_key FROM archive;
