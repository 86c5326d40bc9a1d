-- Whoever asks what others landed does so one at a time in a vault, or two nodes could miss each other. Few
-- locks, whatever lands; in one order everywhere.
-- name: lock
SELECT pg_advisory_xact_lock(hashtextextended('kuva.mixups ' || vault, 0)) FROM unnest($1::uuid[]) AS v (vault);

-- name: insert_series
INSERT INTO series_place (series, study) SELECT * FROM unnest($1::uuid[], $2::bigint[])
ON CONFLICT DO NOTHING RETURNING series, study;

-- The first other study that a series is in. One is enough for a person, and all could be very many.
-- name: series_elsewhere
SELECT w.series, w.study, s.study_uid
FROM unnest($1::uuid[], $2::bigint[]) AS w (series, study)
CROSS JOIN LATERAL (
    SELECT p.study FROM series_place p
    WHERE p.series = w.series AND p.study <> w.study ORDER BY p.study LIMIT 1) AS met
JOIN study s ON s.id = met.study;

-- name: first_patients
SELECT id AS study, patient_id, issuer, patient_name, birth_date, sex FROM study WHERE id = ANY ($1::bigint[]);

-- name: other_patients
SELECT study, patient_id, issuer FROM other_patient WHERE study = ANY ($1::bigint[]) ORDER BY study, first_seen;

-- name: insert_patient
INSERT INTO other_patient (study, vault, patient_id, issuer) VALUES ($1, $2, $3, $4);

-- name: insert_incident
INSERT INTO incident (kind, vault, study_uid, sop_uid, reason, node, epoch, position, difference)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (node, epoch, position, kind) DO NOTHING;
