-- How incidents end: a discard is owed until its node's journal has done it; a dispute ends in a preference.

SET LOCAL search_path = kuva;

ALTER TABLE incident
    ADD discarded_at timestamptz,
    DROP CONSTRAINT incident_resolution_check,
    ADD CONSTRAINT incident_resolution_check
        CHECK (resolution IN ('discard', 'equivalent', 'keep', 'prefer_kept', 'prefer_newcomer')),
    ADD CONSTRAINT incident_discarded CHECK (discarded_at IS NULL OR resolution IS NOT DISTINCT FROM 'discard'),
    ADD CONSTRAINT incident_preferred
        CHECK (resolution IS NULL OR resolution NOT LIKE 'prefer%' OR (kind = 'dispute' AND kept_node IS NOT NULL));
CREATE INDEX incident_discarding ON incident (node, id) WHERE resolution = 'discard' AND discarded_at IS NULL;
CREATE INDEX incident_preferred ON incident (vault, study_uid) WHERE resolution IN ('prefer_kept', 'prefer_newcomer');
GRANT UPDATE (discarded_at) ON incident TO kuva_gateway;

-- What a person chose among contents that had all been answered 0000H; the last choice for a UID counts.
CREATE FUNCTION preferred_of_study(in_vault uuid, of_study text)
RETURNS TABLE (sop_uid text, node uuid, epoch integer, "position" bigint)
LANGUAGE sql STABLE SET search_path = kuva, pg_temp
BEGIN ATOMIC
    SELECT DISTINCT ON (i.sop_uid) i.sop_uid,
        CASE i.resolution WHEN 'prefer_kept' THEN i.kept_node ELSE i.node END,
        CASE i.resolution WHEN 'prefer_kept' THEN i.kept_epoch ELSE i.epoch END,
        CASE i.resolution WHEN 'prefer_kept' THEN i.kept_position ELSE i.position END
    FROM incident i
    WHERE i.vault = in_vault AND i.study_uid = of_study AND i.resolution IN ('prefer_kept', 'prefer_newcomer')
    ORDER BY i.sop_uid, i.resolved_at DESC, i.id DESC;
END;

-- As known_of_study, which earlier programs go on asking, with the preferences.
CREATE FUNCTION known_and_preferred(in_vault uuid, of_study text)
RETURNS TABLE (kind text, node uuid, epoch integer, "position" bigint, block bytea, sop_uid text, digest bytea, transfer_syntax text, sop_class text)
LANGUAGE plpgsql SET search_path = kuva, pg_temp AS $$
BEGIN
    PERFORM set_config('kuva.vaults', ARRAY[in_vault]::text, true);
    RETURN QUERY
        SELECT k.kind, k.node, k.epoch, NULL::bigint, k.block, k.sop_uid, k.digest, k.transfer_syntax, k.sop_class
        FROM known_of_study(in_vault, of_study) k
      UNION ALL
        SELECT 'preferred', p.node, p.epoch, p.position, NULL, p.sop_uid, NULL, NULL, NULL
        FROM preferred_of_study(in_vault, of_study) p;
END $$;
