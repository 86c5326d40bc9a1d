-- name: known
SELECT kind, node, epoch, position, block, sop_uid, digest, transfer_syntax, sop_class
FROM known_with_volumes($1, $2);

-- name: get
SELECT s.*, coalesce(b.instances, 0) AS instances, coalesce(b.length, 0) AS length
FROM study s
CROSS JOIN LATERAL (
    SELECT sum(c.instances)::bigint AS instances, sum(c.length)::bigint AS length FROM (
        SELECT o.instances, o.length FROM open_batch o WHERE o.study = s.id AND o.landed_at >= study_month(s.id)
      UNION ALL
        SELECT v.instances, v.data_length FROM volume v
        WHERE v.study = s.id AND v.kind = 'kept' AND v.state IN ('verified', 'sealed') AND v.superseded_by IS NULL) c) b
WHERE s.vault = $1 AND s.study_uid = $2;

-- name: blocks
SELECT 'volume' AS kind, v.id AS volume, v.key, v.damaged_at IS NOT NULL AS damaged, v.node, 0 AS epoch,
       0::bigint AS first_position, 0::bigint AS last_position, v.instances, v.data_length AS length,
       v.verified_at AS landed_at, v.block
FROM volume v
WHERE v.study = $1 AND v.vault = $2 AND v.kind = 'kept' AND v.state IN ('verified', 'sealed') AND v.superseded_by IS NULL
UNION ALL
SELECT 'open', NULL, NULL, false, o.node, o.epoch, o.first_position, o.last_position, o.instances, o.length,
       o.landed_at, o.block
FROM open_batch o
WHERE o.study = $1 AND o.vault = $2 AND o.landed_at >= study_month($1)
ORDER BY kind DESC, landed_at, node, epoch, first_position;

-- name: list
SELECT s.*, coalesce(b.instances, 0) AS instances, coalesce(b.length, 0) AS length
FROM (
    SELECT * FROM study
    WHERE vault = ANY ($1::uuid[])
      AND ($2::bigint IS NULL OR id < $2)
      AND ($3 = '' OR study_uid = $3)
      AND ($4 = '' OR patient_id = $4)
      AND ($5 = '' OR (patient_name_normalised >= $5 AND patient_name_normalised < $5 || U&'\+10FFFF'))
      AND ($6 = '' OR accession_number = $6)
      AND ($7 = '' OR study_date >= $7)
      AND ($8 = '' OR (study_date <> '' AND study_date <= $8))
    ORDER BY id DESC LIMIT $9) s
CROSS JOIN LATERAL (
    SELECT sum(c.instances)::bigint AS instances, sum(c.length)::bigint AS length FROM (
        SELECT o.instances, o.length FROM open_batch o WHERE o.study = s.id AND o.landed_at >= study_month(s.id)
      UNION ALL
        SELECT v.instances, v.data_length FROM volume v
        WHERE v.study = s.id AND v.kind = 'kept' AND v.state IN ('verified', 'sealed') AND v.superseded_by IS NULL) c) b
ORDER BY s.id DESC;
