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

-- name: put_entity
INSERT INTO application_entity (
    title, description, transfer_syntax_preference, idle_seconds, rule_preset, rule_overrides, certificate_fingerprint)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (title) DO UPDATE SET
    description = excluded.description, transfer_syntax_preference = excluded.transfer_syntax_preference,
    idle_seconds = excluded.idle_seconds, rule_preset = excluded.rule_preset, rule_overrides = excluded.rule_overrides,
    certificate_fingerprint = excluded.certificate_fingerprint;

-- name: entities
SELECT * FROM application_entity ORDER BY title;

-- name: insert_grant
INSERT INTO ae_grant (calling, called, vault, role, valid_from, valid_until) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT DO NOTHING;

-- name: grants
SELECT g.*, e.* FROM ae_grant g JOIN application_entity e ON e.title = g.calling
WHERE ($1 = '' OR g.calling = $1) ORDER BY g.calling, g.called, g.valid_from, g.vault;

-- name: resolve
SELECT g.*, e.* FROM ae_grant g JOIN application_entity e ON e.title = g.calling
WHERE g.calling = $1 AND g.called = $2 AND g.valid_from <= $3 AND (g.valid_until IS NULL OR $3 < g.valid_until)
ORDER BY g.role, g.valid_from, g.vault;
