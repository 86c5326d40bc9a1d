-- name: pending
SELECT node, epoch, first_position, study, vault, study_uid, hashes FROM arbitration_pending($1, $2);

-- name: candidates
SELECT newcomer, study, vault, study_uid FROM arbitration_candidates($1::bigint[], $2::bigint[]);

-- name: blocks
SELECT volume, node, epoch, first_position, landed_at, block FROM arbitration_places($1);

-- name: insert_incident
INSERT INTO incident (
    kind, vault, study_uid, sop_uid, reason, node, epoch, position, kept_node, kept_epoch, kept_position)
SELECT $1::text, $2::uuid, $3::text, $4::text, $5::text, $6::uuid, $7::int, $8::bigint, $9::uuid, $10::int, $11::bigint
-- The same two met before, when the other was the newcomer: it is in a volume now.
WHERE NOT EXISTS (
    SELECT FROM incident i
    WHERE i.vault = $2 AND i.kind = $1 AND i.sop_uid = $4 AND i.node = $9 AND i.epoch = $10 AND i.position = $11
      AND i.kept_node = $6 AND i.kept_epoch = $7 AND i.kept_position = $8)
ON CONFLICT (node, epoch, position, kind) DO NOTHING;

-- name: settled
SELECT node, epoch, position, kept_node, kept_epoch, kept_position FROM incident
WHERE vault = $1 AND study_uid = $2 AND sop_uid = $3 AND resolution IN ('prefer_kept', 'prefer_newcomer');

-- name: done
DELETE FROM arbitration a USING unnest($1::uuid[], $2::int[], $3::bigint[], $4::bigint[]) AS d (node, epoch, first_position, study)
WHERE a.node = d.node AND a.epoch = d.epoch AND a.first_position = d.first_position AND a.study = d.study;
