-- name: pending
SELECT node, epoch, first_position, study, vault, study_uid, hashes FROM arbitration_pending($1, $2);

-- name: candidates
SELECT newcomer, study, vault, study_uid FROM arbitration_candidates($1::bigint[], $2::bigint[]);

-- name: blocks
SELECT node, epoch, first_position, landed_at, block FROM arbitration_blocks($1);

-- name: insert_incident
INSERT INTO incident (
    kind, vault, study_uid, sop_uid, reason, node, epoch, position, kept_node, kept_epoch, kept_position)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (node, epoch, position, kind) DO NOTHING;

-- name: settled
SELECT node, epoch, position, kept_node, kept_epoch, kept_position FROM incident
WHERE vault = $1 AND study_uid = $2 AND sop_uid = $3 AND resolution IN ('prefer_kept', 'prefer_newcomer');

-- name: done
DELETE FROM arbitration a USING unnest($1::uuid[], $2::int[], $3::bigint[], $4::bigint[]) AS d (node, epoch, first_position, study)
WHERE a.node = d.node AND a.epoch = d.epoch AND a.first_position = d.first_position AND a.study = d.study;
