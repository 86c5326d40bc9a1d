-- name: insert
INSERT INTO commitment (
    transaction_uid, calling, called, vaults, node, epoch, association, items, deadline_at, digest, list)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (calling, transaction_uid) DO NOTHING
RETURNING id;

-- name: lock_asked
SELECT * FROM commitment WHERE calling = $1 AND transaction_uid = $2 FOR NO KEY UPDATE;

-- The report goes to where it was asked last; its list may have gone with the last report.
-- name: asked_again
UPDATE commitment SET node = $2, epoch = $3, association = $4, list = $5 WHERE id = $1;

-- name: owe
INSERT INTO delivery (commitment, kind, destination, called, vaults, node, epoch, association, digest, list)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (commitment, kind, digest) WHERE delivered_at IS NULL AND given_up_at IS NULL
DO UPDATE SET node = excluded.node, epoch = excluded.epoch, association = excluded.association;

-- name: pending
SELECT * FROM commitment WHERE resolved_at IS NULL AND id > $1 ORDER BY id LIMIT $2;

-- name: get
SELECT * FROM commitment WHERE id = $1 AND vaults && $2::uuid[];

-- name: list
SELECT * FROM commitment
WHERE vaults && $1::uuid[] AND ($2 = '' OR calling = $2) AND ($3 = '' OR transaction_uid = $3)
  AND (NOT $4 OR resolved_at IS NULL) AND ($5::bigint IS NULL OR id < $5)
ORDER BY id DESC LIMIT $6;

-- name: lock
SELECT * FROM commitment WHERE id = $1 FOR NO KEY UPDATE;

-- name: studies_holding
SELECT s.id, s.vault, s.study_uid FROM study s
WHERE s.vault = ANY ($2::uuid[]) AND s.id IN (SELECT l.study FROM locator l WHERE l.hash = ANY ($1::bigint[]))
ORDER BY s.id;

-- name: open_blocks
SELECT o.study, o.node, o.epoch, o.block FROM open_batch o
WHERE o.study = ANY ($1::bigint[]) AND o.vault = ANY ($2::uuid[])
  AND o.landed_at >= (SELECT study_month(min(id)) FROM unnest($1::bigint[]) AS id)
ORDER BY o.landed_at, o.node, o.epoch, o.first_position;

-- name: volume_blocks
SELECT v.study, v.id, v.node, v.damaged_at IS NOT NULL AS damaged, v.block FROM volume v
WHERE v.study = ANY ($1::bigint[]) AND v.vault = ANY ($2::uuid[]) AND v.kind = 'kept'
  AND v.state IN ('verified', 'sealed') AND v.superseded_by IS NULL
ORDER BY v.id;

-- name: incidents
SELECT s.id AS study, i.id, i.kind, i.sop_uid, i.node, i.epoch, i.position, i.calling
FROM study s JOIN incident i ON i.vault = s.vault AND i.study_uid = s.study_uid
WHERE s.id = ANY ($1::bigint[])
  AND (i.kind = 'damaged' OR (i.state = 'open' AND i.kind IN ('quarantine', 'dispute')));

-- name: preferred
SELECT s.id AS study, p.sop_uid, p.node, p.epoch, p.position
FROM study s CROSS JOIN LATERAL preferred_of_study(s.vault, s.study_uid) p WHERE s.id = ANY ($1::bigint[]);

-- What came between looking and resolving.
-- name: objections
SELECT i.kind, i.sop_uid FROM incident i
WHERE i.vault = ANY ($1::uuid[]) AND i.state = 'open' AND i.sop_uid = ANY ($2::text[])
  AND (i.kind = 'dispute' OR (i.kind = 'quarantine' AND i.calling = $3))
UNION ALL
SELECT i.kind, i.sop_uid FROM unnest($4::uuid[], $5::int[], $6::bigint[]) AS m (node, epoch, position)
JOIN incident i ON i.node = m.node AND i.epoch = m.epoch AND i.position = m.position AND i.kind = 'damaged'
UNION ALL
SELECT 'uncompared', '' FROM volume v JOIN arbitration a ON a.study = v.study AND a.vault = v.vault
WHERE v.id = ANY ($7::text[]) AND v.vault = ANY ($1::uuid[])
LIMIT 1;

-- Of the newest that this caller has held apart of each UID. Who looked at it once need not look again: a sender
-- may go on asking by itself. One order everywhere.
-- name: tell_twins
INSERT INTO incident (
    kind, vault, study_uid, sop_uid, reason, node, epoch, position, kept_node, kept_epoch, kept_position,
    digest, transfer_syntax, sop_class, length, calling, called, address, association, received_at)
SELECT 'commitment_of_twin', vault, study_uid, sop_uid, $4 || id, node, epoch, position, kept_node, kept_epoch, kept_position,
    digest, transfer_syntax, sop_class, length, calling, called, address, association, received_at
FROM (
    SELECT DISTINCT ON (q.vault, q.sop_uid) q.* FROM incident q
    WHERE q.vault = ANY ($1::uuid[]) AND q.kind = 'quarantine' AND q.state = 'open' AND q.sop_uid = ANY ($2::text[])
      AND q.calling = $3
    ORDER BY q.vault, q.sop_uid, q.id DESC) AS twin
ORDER BY vault, sop_uid
ON CONFLICT DO NOTHING;

-- One order everywhere: two resolutions cannot wait in a circle.
-- name: lock_volumes
SELECT id, vault, instances FROM volume
WHERE id = ANY ($1::text[]) AND vault = ANY ($2::uuid[]) AND kind = 'kept' AND state IN ('verified', 'sealed')
  AND superseded_by IS NULL AND damaged_at IS NULL
ORDER BY id FOR NO KEY UPDATE;

-- name: custody
SELECT volume, commitment, since, members FROM custody
WHERE volume = ANY ($1::text[]) AND vault = ANY ($2::uuid[]) ORDER BY id;

-- Custody that no fact in the store tells of yet.
-- name: untold
SELECT c.volume, c.members FROM custody c
WHERE c.volume = ANY ($1::text[]) AND c.vault = ANY ($2::uuid[]) AND EXISTS (
    SELECT FROM fact f WHERE f.commitment = c.commitment AND f.vault = c.vault AND f.written_at IS NULL);

-- name: insert_custody
INSERT INTO custody (volume, vault, commitment, since, members) VALUES ($1, $2, $3, $4, $5);

-- name: committed
UPDATE volume SET uncommitted = uncommitted - $2 WHERE id = $1;

-- name: now
SELECT now();

-- name: insert_fact
INSERT INTO fact (vault, kind, commitment, payload) VALUES ($1, 'custody', $2, $3);

-- name: resolve
UPDATE commitment SET resolved_at = now(), failed = $2, failures = $3 WHERE id = $1;
