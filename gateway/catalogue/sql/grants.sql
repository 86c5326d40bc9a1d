-- name: insert_vault
INSERT INTO vault (id, name) VALUES ($1, $2) ON CONFLICT DO NOTHING;

-- name: vault_named
SELECT id, name, created_at FROM vault WHERE name = $1;

-- name: vaults
SELECT id, name, created_at FROM vault ORDER BY name;

-- name: insert_attributes
INSERT INTO vault_attributes (vault, valid_from, controller, register_type, register_specifier) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING;

-- name: attributes
SELECT controller, register_type, register_specifier, valid_from FROM vault_attributes
WHERE vault = $1 AND valid_from <= $2 ORDER BY valid_from DESC LIMIT 1;

-- name: vault_called
SELECT id, name, created_at FROM vault WHERE id::text = $1 OR name = $1;

-- name: insert_entity
INSERT INTO application_entity (title) VALUES ($1) ON CONFLICT DO NOTHING;

-- name: lock_entity
SELECT * FROM application_entity WHERE title = $1 FOR NO KEY UPDATE;

-- name: update_entity
UPDATE application_entity SET
    description = $2, transfer_syntax_preference = $3, idle_seconds = $4, rule_preset = $5, rule_overrides = $6,
    report_host = $7, report_port = $8, report_mode = $9, parking_seconds = $10
WHERE title = $1;

-- name: entities
SELECT * FROM application_entity ORDER BY title;

-- name: insert_grant
INSERT INTO ae_grant (calling, called, vault, role, valid_from, valid_until) VALUES ($1, $2, $3, $4, $5, $6);

-- name: overlapping
SELECT g.called, g.vault, v.name, g.role, g.valid_from, g.valid_until
FROM ae_grant g JOIN vault v ON v.id = g.vault
WHERE g.calling = $1 AND g.called = $2
  AND tstzrange(g.valid_from, g.valid_until) && tstzrange($3::timestamptz, $4::timestamptz)
ORDER BY g.valid_from;

-- name: set_role
UPDATE ae_grant SET role = $5 WHERE calling = $1 AND called = $2 AND vault = $3 AND valid_from = $4;

-- name: end
UPDATE ae_grant SET valid_until = greatest(valid_from, $4)
WHERE calling = $1 AND ($2 = '' OR called = $2) AND ($3::uuid IS NULL OR vault = $3)
  AND (valid_until IS NULL OR valid_until > greatest(valid_from, $4))
RETURNING called, vault, role, valid_from, valid_until;

-- name: grants
SELECT g.*, e.* FROM ae_grant g JOIN application_entity e ON e.title = g.calling
WHERE ($1 = '' OR g.calling = $1) AND ($2::timestamptz IS NULL OR g.valid_until IS NULL OR g.valid_until > greatest(g.valid_from, $2))
ORDER BY g.calling, g.called, g.valid_from, g.vault;

-- name: resolve
SELECT g.*, e.* FROM ae_grant g JOIN application_entity e ON e.title = g.calling
WHERE g.calling = $1 AND g.called = $2 AND tstzrange(g.valid_from, g.valid_until) @> $3::timestamptz;
