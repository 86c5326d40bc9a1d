-- Mix-ups are found when they land: a study whose instances name two patients, a series in two studies.
SET LOCAL search_path = kuva;

-- Whom the instances of a study name beside the patient of its row: mostly nobody, so mostly no row.
CREATE TABLE other_patient (
    study       bigint      NOT NULL,
    vault       uuid        NOT NULL,
    patient_id  text        COLLATE "C" NOT NULL,
    issuer      text        COLLATE "C" NOT NULL,
    first_seen  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (study, patient_id, issuer)
);

-- In which studies a series is: a keyed 128-bit hash of vault and Series Instance UID. Not partitioned, for
-- a row is a series' and not an instance's, and asking each month would cost more.
CREATE TABLE series_place (
    series  uuid    NOT NULL,
    study   bigint  NOT NULL,
    PRIMARY KEY (series, study)
);

ALTER TABLE incident
    DROP CONSTRAINT incident_kind_check,
    ADD CONSTRAINT incident_kind_check CHECK (kind IN (
        'quarantine', 'cross_study_uid', 'cross_study_series', 'second_patient', 'dispute', 'damaged'));

ALTER TABLE other_patient ENABLE ROW LEVEL SECURITY;
ALTER TABLE series_place ENABLE ROW LEVEL SECURITY;
CREATE POLICY vaults ON other_patient USING (vault = ANY ((SELECT permitted_vaults())::uuid[]));
CREATE POLICY vaults ON series_place USING (EXISTS (SELECT FROM study WHERE study.id = series_place.study));
GRANT SELECT, INSERT ON other_patient, series_place TO kuva_gateway;
