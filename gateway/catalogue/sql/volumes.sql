-- name: study
SELECT id FROM study WHERE vault = $1 AND study_uid = $2;

-- name: row
SELECT v.*, s.study_uid FROM volume v JOIN study s ON s.id = v.study WHERE v.id = $1 AND v.vault = ANY ($2::uuid[]);

-- name: lock
SELECT v.*, s.study_uid FROM volume v JOIN study s ON s.id = v.study WHERE v.id = $1 AND v.vault = $2
FOR NO KEY UPDATE OF v;

-- name: insert
INSERT INTO volume (
    id, key, study, vault, node, kind, instances, planned_at, excluded_epochs, excluded_positions, supersedes)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11);

-- What may be planned: whole batches that are compared with the rest of the archive, so that whatever lands
-- later meets them in the volume.
-- name: free_batches
SELECT o.epoch, o.first_position, o.last_position, o.instances, o.landed_at
FROM unnest($4::int[], $5::bigint[]) AS w (epoch, first_position)
JOIN open_batch o ON o.epoch = w.epoch AND o.first_position = w.first_position
WHERE o.study = $1 AND o.vault = $2 AND o.node = $3 AND o.landed_at >= study_month($1)
  AND NOT EXISTS (
      SELECT FROM arbitration a
      WHERE a.node = o.node AND a.epoch = o.epoch AND a.first_position = o.first_position AND a.study = o.study)
ORDER BY o.epoch, o.first_position;

-- name: take_batches
INSERT INTO planned_batch (volume, study, vault, node, epoch, first_position, landed_at)
SELECT $1, $2, $3, $4, * FROM unnest($5::int[], $6::bigint[], $7::timestamptz[]);

-- name: free_newcomers
SELECT id FROM incident
WHERE id = ANY ($1::bigint[]) AND vault = $2 AND study_uid = $3 AND node = $4 AND kind = 'quarantine' AND volume IS NULL
  AND resolution IS DISTINCT FROM 'discard'
ORDER BY id;

-- name: take_newcomers
INSERT INTO planned_newcomer (volume, vault, incident) SELECT $1, $2, unnest($3::bigint[]);

-- name: planned_batches
SELECT o.epoch, o.first_position, o.last_position, o.instances, o.length, o.block
FROM planned_batch p
JOIN open_batch o ON o.study = p.study AND o.node = p.node AND o.epoch = p.epoch AND o.first_position = p.first_position
    AND o.landed_at = p.landed_at
WHERE p.volume = $1 AND o.landed_at >= study_month(o.study)
ORDER BY o.epoch, o.first_position;

-- name: planned_newcomers
SELECT i.id, i.epoch, i.position FROM planned_newcomer p JOIN incident i ON i.id = p.incident
WHERE p.volume = $1 ORDER BY i.id;

-- name: unfinished
SELECT v.*, s.study_uid FROM volume v JOIN study s ON s.id = v.study
WHERE v.node = $1 AND v.state IN ('planned', 'stored') ORDER BY v.id;

-- name: open_batches
SELECT o.vault, s.study_uid, o.epoch, o.first_position, o.last_position, o.instances, o.length, o.landed_at,
       o.received_from, o.received_to
FROM open_batch o JOIN study s ON s.id = o.study
WHERE o.node = $1
  AND NOT EXISTS (
      SELECT FROM planned_batch p
      WHERE p.study = o.study AND p.node = o.node AND p.epoch = o.epoch AND p.first_position = o.first_position)
ORDER BY o.epoch, o.first_position;

-- name: loose_newcomers
SELECT i.vault, i.study_uid, i.id AS incident, i.epoch, i.position, i.length, i.received_at FROM incident i
WHERE i.node = $1 AND i.kind = 'quarantine' AND i.volume IS NULL AND i.resolution IS DISTINCT FROM 'discard'
  AND NOT EXISTS (SELECT FROM planned_newcomer p WHERE p.incident = i.id)
ORDER BY i.id;

-- name: stored
UPDATE volume SET state = 'stored', stored_at = now(), digest = $2, length = $3 WHERE id = $1;

-- name: planned_span
SELECT count(*)::int AS batches, min(landed_at) AS landed_from, max(landed_at) AS landed_to FROM planned_batch WHERE volume = $1;

-- name: supersede_batches
DELETE FROM open_batch o USING planned_batch p
WHERE p.volume = $1 AND o.study = p.study AND o.node = p.node AND o.epoch = p.epoch
  AND o.first_position = p.first_position AND o.landed_at = p.landed_at AND o.landed_at BETWEEN $2 AND $3;

-- name: release_batches
DELETE FROM planned_batch WHERE volume = $1;

-- name: release_newcomers
DELETE FROM planned_newcomer WHERE volume = $1;

-- name: insert_remainders
INSERT INTO open_batch (
    study, node, vault, epoch, first_position, last_position, instances, length, received_from, received_to, block)
SELECT $1, $2, $3, * FROM unnest($4::int[], $5::bigint[], $6::bigint[], $7::int[], $8::bigint[], $9::timestamptz[],
                                 $10::timestamptz[], $11::bytea[]);

-- What was discarded while it was put into the volume is owed again.
-- name: place_newcomers
UPDATE incident i SET volume = $1, discarded_at = NULL FROM planned_newcomer p WHERE p.volume = $1 AND i.id = p.incident;

-- name: verified
UPDATE volume SET state = 'verified', verified_at = now(), block = $2, data_length = $3, received_from = $4,
    received_to = $5, uncommitted = CASE kind WHEN 'kept' THEN instances ELSE 0 END
WHERE id = $1;

-- name: supersede
UPDATE volume v SET superseded_by = $1
WHERE v.id = ANY ($2::text[]) AND v.study = $3 AND v.state IN ('verified', 'sealed') AND v.superseded_by IS NULL
  AND NOT EXISTS (SELECT FROM custody c WHERE c.volume = v.id);

-- name: abandon
UPDATE volume SET state = 'abandoned', abandoned_at = now(), reason = $2 WHERE id = $1;

-- name: damaged
UPDATE volume SET damaged_at = coalesce(damaged_at, now()), damage = CASE WHEN damaged_at IS NULL THEN $3 ELSE damage END
WHERE id = $1 AND vault = $2 RETURNING id;

-- name: of_study
SELECT v.*, s.study_uid FROM study s JOIN volume v ON v.study = s.id
WHERE s.vault = $1 AND s.study_uid = $2 AND v.vault = $1 ORDER BY v.id;

-- name: list
SELECT v.id, v.key, v.vault, s.study_uid, v.node, v.kind, v.state, v.instances, v.uncommitted, v.planned_at, v.stored_at,
       v.verified_at, v.abandoned_at, v.reason, v.length, v.digest, v.data_length, v.received_from, v.received_to,
       NULL::bytea AS block, v.damaged_at, v.damage, v.supersedes, v.superseded_by
FROM volume v JOIN study s ON s.id = v.study
WHERE v.vault = ANY ($1::uuid[]) AND ($2::text[] IS NULL OR v.state = ANY ($2::text[]))
  AND ($3::text IS NULL OR v.id < $3) AND (NOT $4 OR v.damaged_at IS NOT NULL)
ORDER BY v.id DESC LIMIT $5;

-- name: anything
SELECT EXISTS (SELECT FROM volume WHERE kind = 'kept' AND state IN ('verified', 'sealed'));

-- name: verified_since
SELECT v.*, s.study_uid FROM volume v JOIN study s ON s.id = v.study
WHERE v.node = $1 AND v.received_to >= $2 AND v.state IN ('verified', 'sealed') ORDER BY v.id;

-- name: uncommitted
SELECT count(*) AS volumes, coalesce(sum(uncommitted), 0) AS instances, min(verified_at) AS since
FROM volume WHERE uncommitted > 0 AND verified_at < $1 AND superseded_by IS NULL;

-- name: uncommitted_since
SELECT v.id, v.key, v.vault, s.study_uid, v.node, v.kind, v.state, v.instances, v.uncommitted, v.planned_at, v.stored_at,
       v.verified_at, v.abandoned_at, v.reason, v.length, v.digest, v.data_length, v.received_from, v.received_to,
       NULL::bytea AS block, v.damaged_at, v.damage, v.supersedes, v.superseded_by
FROM volume v JOIN study s ON s.id = v.study
WHERE v.vault = ANY ($1::uuid[]) AND v.uncommitted > 0 AND v.verified_at < $2 AND v.superseded_by IS NULL
ORDER BY v.verified_at LIMIT $3;
