-- name: list
SELECT * FROM incident
WHERE vault = ANY ($1::uuid[])
  AND ($2::text IS NULL OR state = $2)
  AND ($3::text IS NULL OR kind = $3)
  AND ($4 = '' OR study_uid = $4)
  AND ($5::bigint IS NULL OR id < $5)
ORDER BY id DESC LIMIT $6;

-- name: get
SELECT * FROM incident WHERE id = $1 AND vault = ANY ($2::uuid[]);

-- name: lock
SELECT * FROM incident WHERE id = $1 AND vault = ANY ($2::uuid[]) FOR UPDATE;

-- name: resolve
UPDATE incident
SET state = 'resolved', resolution = $2, resolution_reason = $3, resolved_by = $4, resolved_at = now()
WHERE id = $1;

-- name: discarding
SELECT * FROM incident
WHERE node = $1 AND vault = ANY ($2::uuid[]) AND resolution = 'discard' AND discarded_at IS NULL AND id > $3
ORDER BY id LIMIT $4;

-- name: discarded
UPDATE incident SET discarded_at = coalesce(discarded_at, now())
WHERE id = $1 AND vault = ANY ($2::uuid[]) AND resolution = 'discard'
RETURNING *;

-- name: preferred
SELECT sop_uid, node, epoch, position FROM preferred_of_study($1, $2);

-- name: damaged
SELECT node, epoch, position FROM incident WHERE vault = $1 AND study_uid = $2 AND kind = 'damaged';

-- name: rescue
UPDATE incident
SET state = 'resolved', resolution = 'rescued', resolution_reason = $3, resolved_by = $4, resolved_at = now(),
    rescued_node = $5, rescued_epoch = $6, rescued_position = $7
WHERE id = $1 AND vault = ANY ($2::uuid[]) AND kind = 'damaged' AND state = 'open';

-- name: set_difference
UPDATE incident SET difference = $3 WHERE id = $1 AND vault = ANY ($2::uuid[]) AND difference IS NULL;

-- name: insert_damaged
INSERT INTO incident (kind, vault, study_uid, sop_uid, reason, node, epoch, position)
VALUES ('damaged', $1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (node, epoch, position, kind) DO NOTHING;

-- name: insert_equivalent
INSERT INTO equivalent (vault, study_uid, sop_uid, digest, transfer_syntax, sop_class, incident)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT DO NOTHING;
