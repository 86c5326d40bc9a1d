-- name: lock
SELECT pg_advisory_xact_lock(hashtext('kuva.deliveries'));

-- A destination is served by one at a time, oldest first; one that failed waits for its next attempt without
-- holding up the others.
-- name: due
UPDATE delivery SET lease = lease + 1, leased_until = now() + $3, leased_by = $1, attempts = attempts + 1
WHERE id IN (
    SELECT d.id FROM delivery d
    WHERE d.delivered_at IS NULL AND d.given_up_at IS NULL AND d.next_attempt_at <= now()
      AND (d.leased_until IS NULL OR d.leased_until <= now())
      AND (d.node = $1 OR d.created_at <= now() - $4::interval)
      AND NOT EXISTS (SELECT FROM fact f WHERE f.commitment = d.commitment AND f.written_at IS NULL)
      AND NOT EXISTS (
          SELECT FROM delivery other
          WHERE other.destination = d.destination AND other.delivered_at IS NULL AND other.given_up_at IS NULL
            AND other.leased_until > now())
    ORDER BY d.id LIMIT $2)
RETURNING id;

-- name: leased
SELECT d.*, c.transaction_uid, c.list AS committed_list, c.failures
FROM delivery d JOIN commitment c ON c.id = d.commitment WHERE d.id = ANY ($1::bigint[]) ORDER BY d.id;

-- What a node was bringing when it ended, it brings no more; there is one process of a node at a time.
-- name: release
UPDATE delivery SET leased_until = NULL
WHERE leased_by = $1 AND leased_until > now() AND delivered_at IS NULL RETURNING id;

-- name: delivered
UPDATE delivery SET delivered_at = coalesce(delivered_at, now()), given_up_at = NULL, leased_until = NULL, list = NULL
WHERE id = $1 RETURNING commitment, kind;

-- The list is of use to reports only.
-- name: drop_list
UPDATE commitment SET list = NULL
WHERE id = $1 AND resolved_at IS NOT NULL AND NOT EXISTS (
    SELECT FROM delivery d
    WHERE d.commitment = $1 AND d.kind = 'result' AND d.delivered_at IS NULL);

-- name: failed
UPDATE delivery SET leased_until = NULL, last_error = $3, next_attempt_at = coalesce($4, next_attempt_at),
    given_up_at = CASE WHEN $4::timestamptz IS NULL THEN now() END
WHERE id = $1 AND lease = $2 AND delivered_at IS NULL;

-- name: again
UPDATE delivery SET given_up_at = NULL, next_attempt_at = now()
WHERE id IN (
    SELECT DISTINCT ON (kind, digest) id FROM delivery
    WHERE commitment = $1 AND vaults && $2::uuid[] AND delivered_at IS NULL
    ORDER BY kind, digest, given_up_at IS NOT NULL, id DESC)
RETURNING id;

-- name: of_commitments
SELECT d.*, c.transaction_uid,
       EXISTS (SELECT FROM fact f WHERE f.commitment = d.commitment AND f.written_at IS NULL) AS waits_for_fact
FROM delivery d JOIN commitment c ON c.id = d.commitment
WHERE d.commitment = ANY ($1::bigint[]) AND d.vaults && $2::uuid[] ORDER BY d.id;

-- name: owed
SELECT destination, count(*)::int AS deliveries, min(created_at) AS oldest FROM delivery
WHERE delivered_at IS NULL AND given_up_at IS NULL GROUP BY destination ORDER BY destination;
