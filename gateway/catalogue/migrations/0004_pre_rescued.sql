-- How damage ends: the instance was received again, and where.

SET LOCAL search_path = kuva;

ALTER TABLE incident
    ADD rescued_node uuid,
    ADD rescued_epoch integer,
    ADD rescued_position bigint,
    DROP CONSTRAINT incident_resolution_check,
    ADD CONSTRAINT incident_resolution_check
        CHECK (resolution IN ('discard', 'equivalent', 'keep', 'rescued', 'prefer_kept', 'prefer_newcomer')),
    ADD CONSTRAINT incident_rescued
        CHECK (num_nonnulls(rescued_node, rescued_epoch, rescued_position)
               = CASE WHEN kind = 'damaged' AND resolution = 'rescued' THEN 3 ELSE 0 END
           AND (kind = 'damaged' OR resolution IS DISTINCT FROM 'rescued'));
CREATE INDEX incident_damaged ON incident (vault, study_uid) WHERE kind = 'damaged';
GRANT UPDATE (rescued_node, rescued_epoch, rescued_position) ON incident TO kuva_gateway;

-- What was found damaged counts as absent where bytes are concerned, for ever: also when the incident is resolved.
CREATE FUNCTION known_when_opened(in_vault uuid, of_study text)
RETURNS TABLE (kind text, node uuid, epoch integer, "position" bigint, block bytea, sop_uid text, digest bytea, transfer_syntax text, sop_class text)
LANGUAGE plpgsql SET search_path = kuva, pg_temp AS $$
BEGIN
    PERFORM set_config('kuva.vaults', ARRAY[in_vault]::text, true);
    RETURN QUERY
        SELECT k.kind, k.node, k.epoch, k.position, k.block, k.sop_uid, k.digest, k.transfer_syntax, k.sop_class
        FROM known_and_preferred(in_vault, of_study) k
      UNION ALL
        SELECT i.kind, i.node, i.epoch, i.position, NULL, NULL, NULL, NULL, NULL
        FROM incident i WHERE i.vault = in_vault AND i.study_uid = of_study AND i.kind = 'damaged';
END $$;
