-- A sender that asks for what it sent with other bytes, which were refused: a person is told.
SET LOCAL search_path = kuva;

ALTER TABLE incident
    DROP CONSTRAINT incident_kind_check,
    ADD CONSTRAINT incident_kind_check CHECK (kind IN (
        'quarantine', 'cross_study_uid', 'cross_study_series', 'second_patient', 'dispute', 'damaged',
        'commitment_of_twin'));

-- Once while it is open, however often that sender asks and whatever else of that UID is held apart.
CREATE UNIQUE INDEX incident_twin ON incident (vault, sop_uid, calling)
    WHERE kind = 'commitment_of_twin' AND state = 'open';
