-- A lost catalogue is made again from volumes and facts: a study's row by whoever rebuilds, and only then.

SET LOCAL search_path = kuva;

-- The row is that of the instance received first, whichever of the study's volumes comes first. Its id carries
-- the month of the first that came, so that the locator is partitioned as it was.
CREATE FUNCTION rebuild_study(in_vault uuid, of_study text, received timestamptz, texts text[]) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = kuva, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    month bigint := month_number(greatest(received, timestamptz '2000-01-01Z'));
    found bigint;
BEGIN
    IF NOT (SELECT rebuilding FROM archive) THEN
        RAISE insufficient_privilege USING MESSAGE = 'no rebuild is under way';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('kuva.make_partitions'));
    PERFORM make_partition(
        'locator', to_char(study_month(month << 40), '"locator_"YYYYMM'), (month << 40)::text, ((month + 1) << 40)::text);
    INSERT INTO study (
        id, vault, study_uid, first_seen, patient_id, issuer, patient_name, patient_name_normalised, birth_date, sex,
        study_date, study_time, timezone_offset, accession_number, study_id, description, referring_physician, modality)
    VALUES (
        (month << 40) | nextval('study_counter'), in_vault, of_study, received, texts[1], texts[2], texts[3], texts[4],
        texts[5], texts[6], texts[7], texts[8], texts[9], texts[10], texts[11], texts[12], texts[13], texts[14])
    ON CONFLICT (vault, study_uid) DO UPDATE SET
        first_seen = excluded.first_seen, patient_id = excluded.patient_id, issuer = excluded.issuer,
        patient_name = excluded.patient_name, patient_name_normalised = excluded.patient_name_normalised,
        birth_date = excluded.birth_date, sex = excluded.sex, study_date = excluded.study_date,
        study_time = excluded.study_time, timezone_offset = excluded.timezone_offset,
        accession_number = excluded.accession_number, study_id = excluded.study_id, description = excluded.description,
        referring_physician = excluded.referring_physician, modality = excluded.modality
        WHERE study.first_seen > excluded.first_seen
    RETURNING id INTO found;
    RETURN coalesce(found, (SELECT s.id FROM study s WHERE s.vault = in_vault AND s.study_uid = of_study));
END $$;

GRANT UPDATE (rebuilding) ON archive TO kuva_gateway;
REVOKE EXECUTE ON FUNCTION rebuild_study(uuid, text, timestamptz, text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rebuild_study(uuid, text, timestamptz, text[]) TO kuva_gateway;
