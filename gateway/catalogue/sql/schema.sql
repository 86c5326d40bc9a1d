-- The catalogue as it is now: present truth, for reading. Databases are made by the migrations; a test
-- shows that both roads lead to the same. Everything belongs to the role kuva_owner; the gateway connects
-- as kuva_gateway, which owns nothing, so that row-level security binds it.

CREATE SCHEMA kuva;
GRANT USAGE ON SCHEMA kuva TO kuva_gateway;
SET LOCAL search_path = kuva;

-- One row. The key of the locator's hashes: lost, the locator is rebuilt.
CREATE TABLE archive (
    singleton    boolean     PRIMARY KEY DEFAULT true CHECK (singleton),
    locator_key  bytea       NOT NULL CHECK (length(locator_key) = 32),
    created_at   timestamptz NOT NULL DEFAULT now(),
    -- While a rebuild is unfinished nothing is served.
    rebuilding   boolean     NOT NULL DEFAULT false
);
INSERT INTO archive (locator_key)
VALUES (decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex'));

CREATE TABLE vault (
    id          uuid        PRIMARY KEY,
    name        text        NOT NULL UNIQUE CHECK (name <> ''),
    created_at  timestamptz NOT NULL DEFAULT now()
);

-- Who a vault belongs to, by time: a new version never overwrites an old one.
CREATE TABLE vault_attributes (
    vault               uuid        NOT NULL REFERENCES vault,
    valid_from          timestamptz NOT NULL,
    controller          text        NOT NULL,
    register_type       text        NOT NULL,
    register_specifier  text        NOT NULL DEFAULT '',
    PRIMARY KEY (vault, valid_from)
);

CREATE TABLE application_entity (
    title                       text        PRIMARY KEY CHECK (length(title) BETWEEN 1 AND 16),
    description                 text        NOT NULL DEFAULT '',
    transfer_syntax_preference  text[]      NOT NULL DEFAULT '{}',
    idle_seconds                float8      CHECK (idle_seconds > 0),
    rule_preset                 text,
    rule_overrides              jsonb       NOT NULL DEFAULT '{}',
    certificate_fingerprint     bytea       CHECK (length(certificate_fingerprint) = 32),
    created_at                  timestamptz NOT NULL DEFAULT now(),
    -- Where it takes its reports, and for how long its requests wait; NULL: as in the settings.
    report_host                 text        CHECK (report_host <> ''),
    report_port                 integer     CHECK (report_port BETWEEN 1 AND 65535),
    report_mode                 text        CHECK (report_mode IN ('same', 'new', 'same_then_new')),
    parking_seconds             float8      CHECK (parking_seconds >= 0)
);

-- Holds one title: lets a GiST index compare text for equality without the extension btree_gist.
CREATE TYPE title_range AS RANGE (subtype = text, collation = "C");

-- Calling AE title x called AE title -> vault, one at a time: the vault of a C-STORE follows from the pair.
-- A grant that was ended stays, for history; one that ends where it begins was never valid. GRANT is a word
-- of SQL, hence the longer name.
CREATE TABLE ae_grant (
    calling      text        NOT NULL REFERENCES application_entity,
    called       text        NOT NULL CHECK (length(called) BETWEEN 1 AND 16),
    vault        uuid        NOT NULL REFERENCES vault,
    role         text        NOT NULL CHECK (role IN ('own', 'processor')),
    valid_from   timestamptz NOT NULL,
    valid_until  timestamptz CHECK (valid_until >= valid_from),
    PRIMARY KEY (calling, called, vault, valid_from),
    CONSTRAINT ae_grant_one_vault_at_a_time EXCLUDE USING gist (
        title_range(calling, calling, '[]') WITH =,
        title_range(called, called, '[]') WITH =,
        tstzrange(valid_from, valid_until) WITH &&)
);

CREATE TABLE node (
    id          uuid        PRIMARY KEY,
    name        text        NOT NULL DEFAULT '',
    epoch       integer     NOT NULL CHECK (epoch > 0),
    started_at  timestamptz NOT NULL DEFAULT now()
);

-- How far the catalogue has what each life of a node received.
CREATE TABLE node_epoch (
    node                uuid        NOT NULL REFERENCES node,
    epoch               integer     NOT NULL CHECK (epoch > 0),
    started_at          timestamptz NOT NULL DEFAULT now(),
    catalogued_through  bigint      NOT NULL DEFAULT 0 CHECK (catalogued_through >= 0),
    PRIMARY KEY (node, epoch)
);

-- A study's id carries the month in which it was first seen above 40 bits of a counter, so that the
-- locator can be partitioned by month with two columns of eight bytes and nothing else.
CREATE SEQUENCE study_counter AS bigint MAXVALUE 1099511627775;

CREATE FUNCTION month_number(at timestamptz) RETURNS bigint
LANGUAGE sql STABLE PARALLEL SAFE
RETURN (extract(year FROM at AT TIME ZONE 'UTC')::bigint - 2000) * 12
     + extract(month FROM at AT TIME ZONE 'UTC')::bigint - 1;

CREATE FUNCTION study_month(study bigint) RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE
RETURN make_timestamptz((2000 + (study >> 40) / 12)::int, ((study >> 40) % 12 + 1)::int, 1, 0, 0, 0, 'UTC');

CREATE TABLE study (
    id                       bigint      PRIMARY KEY DEFAULT (month_number(now()) << 40) | nextval('study_counter'),
    vault                    uuid        NOT NULL REFERENCES vault,
    study_uid                text        COLLATE "C" NOT NULL CHECK (length(study_uid) BETWEEN 1 AND 64),
    first_seen               timestamptz NOT NULL DEFAULT now(),
    patient_id               text        COLLATE "C" NOT NULL,
    issuer                   text        COLLATE "C" NOT NULL,
    patient_name             text        COLLATE "C" NOT NULL,
    patient_name_normalised  text        COLLATE "C" NOT NULL,
    birth_date               text        COLLATE "C" NOT NULL,
    sex                      text        COLLATE "C" NOT NULL,
    study_date               text        COLLATE "C" NOT NULL,
    study_time               text        COLLATE "C" NOT NULL,
    timezone_offset          text        COLLATE "C" NOT NULL,
    accession_number         text        COLLATE "C" NOT NULL,
    study_id                 text        COLLATE "C" NOT NULL,
    description              text        COLLATE "C" NOT NULL,
    referring_physician      text        COLLATE "C" NOT NULL,
    modality                 text        COLLATE "C" NOT NULL,
    UNIQUE (vault, study_uid)
);
CREATE INDEX study_patient ON study (vault, patient_id);
CREATE INDEX study_patient_name ON study (vault, patient_name_normalised);
CREATE INDEX study_date ON study (vault, study_date);
CREATE INDEX study_accession_number ON study (vault, accession_number) WHERE accession_number <> '';

-- Instances that are in a node's journal and not yet in a volume. Appended, never updated; a row goes in
-- the transaction that stores the volume's block, and an hour goes when it is empty.
CREATE TABLE open_batch (
    study           bigint      NOT NULL,
    node            uuid        NOT NULL,
    epoch           integer     NOT NULL,
    instances       integer     NOT NULL CHECK (instances > 0),
    first_position  bigint      NOT NULL,
    last_position   bigint      NOT NULL,
    length          bigint      NOT NULL CHECK (length >= 0),
    landed_at       timestamptz NOT NULL DEFAULT now(),
    received_from   timestamptz NOT NULL,
    received_to     timestamptz NOT NULL,
    vault           uuid        NOT NULL,
    block           bytea       NOT NULL,
    CHECK (first_position <= last_position),
    PRIMARY KEY (study, node, epoch, first_position, landed_at)
) PARTITION BY RANGE (landed_at);
ALTER TABLE open_batch ALTER COLUMN block SET STORAGE EXTERNAL;  -- compressed already, by Rust

-- Which studies may hold a SOP Instance UID: a keyed hash of it. Not unique; the index block decides.
CREATE TABLE locator (
    hash   bigint NOT NULL,
    study  bigint NOT NULL
) PARTITION BY RANGE (study);
CREATE INDEX locator_hash ON locator (hash);

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

-- Hashes that landed and were not yet compared with the rest of the archive: written in the transaction
-- that lands them, removed when the comparison is done. Whoever lands last sees the other.
CREATE TABLE arbitration (
    node            uuid        NOT NULL,
    epoch           integer     NOT NULL,
    first_position  bigint      NOT NULL,
    study           bigint      NOT NULL,
    vault           uuid        NOT NULL,
    landed_at       timestamptz NOT NULL DEFAULT now(),
    hashes          bigint[]    NOT NULL,
    PRIMARY KEY (node, epoch, first_position, study)
);
ALTER TABLE arbitration ALTER COLUMN hashes SET STORAGE EXTERNAL;

CREATE TABLE incident (
    id                 bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind               text        NOT NULL CHECK (kind IN (
        'quarantine', 'cross_study_uid', 'cross_study_series', 'second_patient', 'dispute', 'damaged',
        'commitment_of_twin')),
    state              text        NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'resolved')),
    vault              uuid        NOT NULL REFERENCES vault,
    study_uid          text        COLLATE "C" NOT NULL,
    sop_uid            text        COLLATE "C" NOT NULL,
    reason             text        NOT NULL,
    node               uuid        NOT NULL,
    epoch              integer     NOT NULL,
    position           bigint      NOT NULL,
    kept_node          uuid,
    kept_epoch         integer,
    kept_position      bigint,
    digest             bytea,
    transfer_syntax    text,
    sop_class          text,
    length             bigint,
    calling            text,
    called             text,
    address            text,
    association        bigint,
    received_at        timestamptz,
    difference         jsonb,
    opened_at          timestamptz NOT NULL DEFAULT now(),
    resolution         text        CHECK (resolution IN ('discard', 'equivalent', 'keep', 'rescued', 'prefer_kept', 'prefer_newcomer')),
    resolution_reason  text        NOT NULL DEFAULT '',
    resolved_by        text        NOT NULL DEFAULT '',
    resolved_at        timestamptz,
    discarded_at       timestamptz,
    rescued_node       uuid,
    rescued_epoch      integer,
    rescued_position   bigint,
    volume             text        COLLATE "C",  -- where a quarantined newcomer lies, once its volume is verified
    UNIQUE (node, epoch, position, kind),
    CHECK ((state = 'resolved') = (resolution IS NOT NULL AND resolved_at IS NOT NULL AND resolved_by <> '')),
    CHECK (kind <> 'quarantine' OR (digest IS NOT NULL AND transfer_syntax IS NOT NULL AND sop_class IS NOT NULL)),
    -- Only what never got 0000H may be discarded.
    CHECK (resolution IS DISTINCT FROM 'discard' OR kind = 'quarantine'),
    -- NULL until the node's journal has done it.
    CONSTRAINT incident_discarded CHECK (discarded_at IS NULL OR resolution IS NOT DISTINCT FROM 'discard'),
    CONSTRAINT incident_preferred
        CHECK (resolution IS NULL OR resolution NOT LIKE 'prefer%' OR (kind = 'dispute' AND kept_node IS NOT NULL)),
    CONSTRAINT incident_rescued
        CHECK (num_nonnulls(rescued_node, rescued_epoch, rescued_position)
               = CASE WHEN kind = 'damaged' AND resolution = 'rescued' THEN 3 ELSE 0 END
           AND (kind = 'damaged' OR resolution IS DISTINCT FROM 'rescued'))
);
CREATE INDEX incident_loose ON incident (node, id) WHERE kind = 'quarantine' AND volume IS NULL AND resolution IS DISTINCT FROM 'discard';
CREATE INDEX incident_open ON incident (vault, study_uid) WHERE state = 'open';
CREATE INDEX incident_damaged ON incident (vault, study_uid) WHERE kind = 'damaged';
CREATE INDEX incident_discarding ON incident (node, id) WHERE resolution = 'discard' AND discarded_at IS NULL;
-- Once while it is open, however often that sender asks and whatever else of that UID is held apart.
CREATE UNIQUE INDEX incident_twin ON incident (vault, sop_uid, calling)
    WHERE kind = 'commitment_of_twin' AND state = 'open';
CREATE INDEX incident_preferred ON incident (vault, study_uid) WHERE resolution IN ('prefer_kept', 'prefer_newcomer');

-- Other encodings of kept instances: a resend of one is answered 0000H and nothing is kept.
CREATE TABLE equivalent (
    vault            uuid        NOT NULL REFERENCES vault,
    study_uid        text        COLLATE "C" NOT NULL,
    sop_uid          text        COLLATE "C" NOT NULL,
    digest           bytea       NOT NULL,
    transfer_syntax  text        NOT NULL,
    sop_class        text        NOT NULL,
    incident         bigint      NOT NULL REFERENCES incident,
    accepted_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (vault, study_uid, sop_uid, digest, transfer_syntax, sop_class)
);

-- Unique for ever, and sorted by time: 48 bits of milliseconds, 80 random ones, in Crockford's base 32.
CREATE FUNCTION ulid() RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = kuva, pg_temp AS $$
DECLARE
    hex text := lpad(to_hex((extract(epoch FROM clock_timestamp()) * 1000)::bigint), 12, '0')
        || left(replace(gen_random_uuid()::text, '-', ''), 12) || right(gen_random_uuid()::text, 8);
    bits bit(130) := B'00' || ('x' || hex)::bit(128);
    text26 text := '';
BEGIN
    FOR i IN 0..25 LOOP
        text26 := text26 || substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ', substring(bits FROM i * 5 + 1 FOR 5)::int + 1, 1);
    END LOOP;
    RETURN text26;
END $$;

-- One row for each volume that was ever planned; none is deleted. The block is written once, when the volume
-- is verified, and stays where it is when other columns change.
CREATE TABLE volume (
    id             text        COLLATE "C" PRIMARY KEY CHECK (length(id) = 26),
    key            text        COLLATE "C" NOT NULL UNIQUE,
    study          bigint      NOT NULL REFERENCES study,
    vault          uuid        NOT NULL REFERENCES vault,
    node           uuid        NOT NULL,
    kind           text        NOT NULL CHECK (kind IN ('kept', 'quarantined')),
    state          text        NOT NULL DEFAULT 'planned'
                               CHECK (state IN ('planned', 'stored', 'verified', 'sealed', 'abandoned')),
    instances      integer     NOT NULL CHECK (instances > 0),
    uncommitted    integer     NOT NULL DEFAULT 0 CHECK (uncommitted BETWEEN 0 AND instances),
    planned_at     timestamptz NOT NULL,
    stored_at      timestamptz,
    verified_at    timestamptz,
    abandoned_at   timestamptz,
    received_from  timestamptz,
    received_to    timestamptz,
    length         bigint      CHECK (length > 0),
    data_length    bigint      CHECK (data_length >= 0),
    damaged_at     timestamptz,
    reason         text        NOT NULL DEFAULT '',
    damage         text        NOT NULL DEFAULT '',
    excluded_epochs     integer[],
    excluded_positions  bigint[],
    supersedes     text[]      COLLATE "C",
    superseded_by  text        COLLATE "C" REFERENCES volume,
    digest         bytea       CHECK (length(digest) = 32),
    block          bytea,
    CONSTRAINT volume_stored CHECK (state IN ('planned', 'abandoned') OR num_nulls(stored_at, length, digest) = 0),
    CONSTRAINT volume_verified CHECK (state NOT IN ('verified', 'sealed')
        OR num_nulls(verified_at, data_length, received_from, received_to, block) = 0),
    CONSTRAINT volume_abandoned CHECK ((state = 'abandoned') = (abandoned_at IS NOT NULL AND reason <> ''))
) WITH (fillfactor = 80);
ALTER TABLE volume ALTER COLUMN block SET STORAGE EXTERNAL;  -- compressed already, by Rust
CREATE INDEX volume_study ON volume (study);
CREATE INDEX volume_unfinished ON volume (node) WHERE state IN ('planned', 'stored');
CREATE INDEX volume_received ON volume (node, received_to) WHERE state IN ('verified', 'sealed');
CREATE INDEX volume_uncommitted ON volume (verified_at) WHERE uncommitted > 0;

-- What live plans take. A batch is in at most one: the key says so. Rows go when the volume is verified or
-- abandoned.
CREATE TABLE planned_batch (
    study           bigint      NOT NULL,
    node            uuid        NOT NULL,
    epoch           integer     NOT NULL,
    first_position  bigint      NOT NULL,
    landed_at       timestamptz NOT NULL,
    vault           uuid        NOT NULL,
    volume          text        COLLATE "C" NOT NULL REFERENCES volume,
    PRIMARY KEY (study, node, epoch, first_position)
);
CREATE INDEX planned_batch_volume ON planned_batch (volume);
CREATE TABLE planned_newcomer (
    incident  bigint  PRIMARY KEY REFERENCES incident,
    vault     uuid    NOT NULL,
    volume    text    COLLATE "C" NOT NULL REFERENCES volume
);
CREATE INDEX planned_newcomer_volume ON planned_newcomer (volume);

-- A storage commitment request. Its list goes when the report was delivered; the digest of the list stays.
CREATE TABLE commitment (
    id               bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    transaction_uid  text        COLLATE "C" NOT NULL,
    calling          text        NOT NULL,
    called           text        NOT NULL,
    vaults           uuid[]      NOT NULL CHECK (cardinality(vaults) > 0),
    node             uuid        NOT NULL,
    epoch            integer     NOT NULL,
    association      bigint      NOT NULL,
    items            integer     NOT NULL CHECK (items > 0),
    failed           integer     CHECK (failed BETWEEN 0 AND items),
    asked_at         timestamptz NOT NULL DEFAULT now(),
    deadline_at      timestamptz NOT NULL,
    resolved_at      timestamptz,
    digest           bytea       NOT NULL CHECK (length(digest) = 32),
    list             bytea,
    failures         bytea,
    UNIQUE (calling, transaction_uid),
    CHECK ((resolved_at IS NULL) = (failed IS NULL)),
    CHECK (resolved_at IS NOT NULL OR list IS NOT NULL)
);
ALTER TABLE commitment ALTER COLUMN list SET STORAGE EXTERNAL;
ALTER TABLE commitment ALTER COLUMN failures SET STORAGE EXTERNAL;
CREATE INDEX commitment_pending ON commitment (id) WHERE resolved_at IS NULL;

-- Since when the archive answers for what: rows of one volume never share a member. Members are bits by place
-- in the volume's index block, lowest bit first; NULL: all.
CREATE TABLE custody (
    id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    volume      text        COLLATE "C" NOT NULL REFERENCES volume,
    vault       uuid        NOT NULL,
    commitment  bigint      REFERENCES commitment,
    since       timestamptz NOT NULL,
    members     bytea
);
CREATE INDEX custody_volume ON custody (volume);

-- What was decided, on its way to the object store; the payload goes when the store has it.
CREATE TABLE fact (
    id          text        COLLATE "C" PRIMARY KEY DEFAULT ulid() CHECK (length(id) = 26),
    vault       uuid        NOT NULL REFERENCES vault,
    kind        text        NOT NULL CHECK (kind IN ('vault', 'custody')),
    commitment  bigint      REFERENCES commitment,
    decided_at  timestamptz NOT NULL DEFAULT now(),
    written_at  timestamptz,
    payload     text,
    CHECK ((payload IS NULL) = (written_at IS NOT NULL))
);
CREATE INDEX fact_unwritten ON fact (id) WHERE written_at IS NULL;
CREATE INDEX fact_unwritten_commitment ON fact (commitment) WHERE written_at IS NULL;

-- Reports that are owed. Due only when every fact of their commitment is in the object store.
CREATE TABLE delivery (
    id               bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    commitment       bigint      NOT NULL REFERENCES commitment,
    kind             text        NOT NULL CHECK (kind IN ('result', 'duplicate')),
    destination      text        NOT NULL,
    called           text        NOT NULL,
    vaults           uuid[]      NOT NULL,
    node             uuid        NOT NULL,
    epoch            integer     NOT NULL,
    association      bigint      NOT NULL,
    created_at       timestamptz NOT NULL DEFAULT now(),
    next_attempt_at  timestamptz NOT NULL DEFAULT now(),
    attempts         integer     NOT NULL DEFAULT 0,
    lease            integer     NOT NULL DEFAULT 0,
    leased_until     timestamptz,
    leased_by        uuid,
    last_error       text        NOT NULL DEFAULT '',
    delivered_at     timestamptz,
    given_up_at      timestamptz,
    digest           bytea       NOT NULL,
    list             bytea,
    CHECK (delivered_at IS NULL OR given_up_at IS NULL)
);
ALTER TABLE delivery ALTER COLUMN list SET STORAGE EXTERNAL;
CREATE UNIQUE INDEX delivery_owed ON delivery (commitment, kind, digest)
    WHERE delivered_at IS NULL AND given_up_at IS NULL;
CREATE INDEX delivery_due ON delivery (destination, id) WHERE delivered_at IS NULL AND given_up_at IS NULL;
ALTER TABLE incident ADD FOREIGN KEY (volume) REFERENCES volume;

-- Row-level security: beneath the one SQL layer that filters by vault. A transaction names its vaults with
-- SET LOCAL kuva.vaults; without it there are none. Partitions are reached through their parents only:
-- nothing is granted on them.
CREATE FUNCTION permitted_vaults() RETURNS uuid[]
LANGUAGE sql STABLE PARALLEL SAFE
RETURN nullif(current_setting('kuva.vaults', true), '')::uuid[];

ALTER TABLE study ENABLE ROW LEVEL SECURITY;
ALTER TABLE open_batch ENABLE ROW LEVEL SECURITY;
ALTER TABLE locator ENABLE ROW LEVEL SECURITY;
ALTER TABLE incident ENABLE ROW LEVEL SECURITY;
ALTER TABLE equivalent ENABLE ROW LEVEL SECURITY;
ALTER TABLE arbitration ENABLE ROW LEVEL SECURITY;
ALTER TABLE other_patient ENABLE ROW LEVEL SECURITY;
ALTER TABLE series_place ENABLE ROW LEVEL SECURITY;

CREATE POLICY vaults ON study USING (vault = ANY ((SELECT permitted_vaults())::uuid[]));
CREATE POLICY vaults ON open_batch USING (vault = ANY ((SELECT permitted_vaults())::uuid[]));
CREATE POLICY vaults ON incident USING (vault = ANY ((SELECT permitted_vaults())::uuid[]));
CREATE POLICY vaults ON equivalent USING (vault = ANY ((SELECT permitted_vaults())::uuid[]));
CREATE POLICY vaults ON arbitration USING (vault = ANY ((SELECT permitted_vaults())::uuid[]));
CREATE POLICY vaults ON other_patient USING (vault = ANY ((SELECT permitted_vaults())::uuid[]));
ALTER TABLE volume ENABLE ROW LEVEL SECURITY;
ALTER TABLE planned_batch ENABLE ROW LEVEL SECURITY;
ALTER TABLE planned_newcomer ENABLE ROW LEVEL SECURITY;
ALTER TABLE commitment ENABLE ROW LEVEL SECURITY;
ALTER TABLE custody ENABLE ROW LEVEL SECURITY;
ALTER TABLE fact ENABLE ROW LEVEL SECURITY;
ALTER TABLE delivery ENABLE ROW LEVEL SECURITY;
CREATE POLICY vaults ON volume USING (vault = ANY ((SELECT permitted_vaults())::uuid[]));
CREATE POLICY vaults ON planned_batch USING (vault = ANY ((SELECT permitted_vaults())::uuid[]));
CREATE POLICY vaults ON planned_newcomer USING (vault = ANY ((SELECT permitted_vaults())::uuid[]));
CREATE POLICY vaults ON custody USING (vault = ANY ((SELECT permitted_vaults())::uuid[]));
CREATE POLICY vaults ON fact USING (vault = ANY ((SELECT permitted_vaults())::uuid[]));
-- A request is its caller's, over all vaults that the caller was granted.
CREATE POLICY vaults ON commitment USING (vaults && (SELECT permitted_vaults())::uuid[]);
CREATE POLICY vaults ON delivery USING (vaults && (SELECT permitted_vaults())::uuid[]);
-- An open batch goes only when a volume that is stored takes its place.
CREATE POLICY superseded ON open_batch AS RESTRICTIVE FOR DELETE
    USING (EXISTS (
        SELECT FROM planned_batch p JOIN volume v ON v.id = p.volume
        WHERE p.study = open_batch.study AND p.node = open_batch.node AND p.epoch = open_batch.epoch
          AND p.first_position = open_batch.first_position AND p.landed_at = open_batch.landed_at AND v.state = 'stored'));
-- A locator row says nothing of a vault; its study does. Writing one needs no such look-up per row: it is a
-- hint, and the index block decides.
CREATE POLICY vaults ON locator FOR SELECT
    USING (EXISTS (SELECT FROM study WHERE study.id = locator.study));
CREATE POLICY landing ON locator FOR INSERT WITH CHECK (true);
CREATE POLICY vaults ON series_place USING (EXISTS (SELECT FROM study WHERE study.id = series_place.study));

-- Arbitration must see past vaults. These doors are all that does, and they give opaque rows only.
CREATE FUNCTION arbitration_pending(older_than interval, at_most integer)
RETURNS TABLE (node uuid, epoch integer, first_position bigint, study bigint, vault uuid, study_uid text, hashes bigint[])
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = kuva, pg_temp
BEGIN ATOMIC
    SELECT a.node, a.epoch, a.first_position, a.study, a.vault, s.study_uid, a.hashes
    FROM arbitration a JOIN study s ON s.id = a.study
    WHERE a.landed_at <= now() - older_than
    ORDER BY a.landed_at LIMIT at_most;
END;

-- Studies that hold one of the hashes beside the newcomer's own: another study, or the same more than once.
CREATE FUNCTION arbitration_candidates(hashes bigint[], newcomers bigint[])
RETURNS TABLE (newcomer bigint, study bigint, vault uuid, study_uid text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = kuva, pg_temp
BEGIN ATOMIC
    SELECT DISTINCT met.newcomer, s.id, s.vault, s.study_uid
    FROM (SELECT wanted.newcomer, l.study
          FROM unnest(hashes, newcomers) AS wanted (hash, newcomer) JOIN locator l ON l.hash = wanted.hash
          GROUP BY wanted.hash, wanted.newcomer, l.study
          HAVING l.study <> wanted.newcomer OR count(*) > 1) AS met
    JOIN study s ON s.id = met.study;
END;

CREATE FUNCTION arbitration_blocks(study bigint)
RETURNS TABLE (node uuid, epoch integer, first_position bigint, landed_at timestamptz, block bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = kuva, pg_temp
BEGIN ATOMIC
    SELECT b.node, b.epoch, b.first_position, b.landed_at, b.block
    FROM open_batch b
    WHERE b.study = arbitration_blocks.study AND b.landed_at >= study_month(arbitration_blocks.study);
END;

-- Partitions are made ahead, by the owner's right: the gateway may not create anything. LIKE and ATTACH,
-- because CREATE TABLE ... PARTITION OF would lock every reader and writer of the parent out meanwhile.
CREATE FUNCTION make_partition(parent text, name text, lower text, upper text) RETURNS void
LANGUAGE plpgsql SET search_path = kuva, pg_temp AS $$
BEGIN
    IF to_regclass('kuva.' || quote_ident(name)) IS NULL THEN
        EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES INCLUDING STORAGE)', name, parent);
        EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, name, lower, upper);
    END IF;
END $$;

-- Makes what the coming hour and month need; returns the time until which landing needs no more.
CREATE FUNCTION make_partitions() RETURNS timestamptz
LANGUAGE plpgsql SECURITY DEFINER SET search_path = kuva, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    hour timestamptz := date_trunc('hour', now());
    month bigint := month_number(now());
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('kuva.make_partitions'));
    FOR ahead IN 0..1 LOOP
        PERFORM make_partition(
            'open_batch', to_char(hour + ahead * interval '1 hour', '"open_batch_"YYYYMMDD"_"HH24'),
            (hour + ahead * interval '1 hour')::text, (hour + (ahead + 1) * interval '1 hour')::text);
        PERFORM make_partition(
            'locator', to_char(study_month((month + ahead) << 40), '"locator_"YYYYMM'),
            ((month + ahead) << 40)::text, ((month + ahead + 1) << 40)::text);
    END LOOP;
    RETURN hour + interval '2 hours';
END $$;

-- Hours that were superseded whole: their tables go. Only ever an empty one, looked at under its lock.
CREATE FUNCTION drop_empty_partitions() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = kuva, pg_temp SET timezone = 'UTC' SET lock_timeout = '1s' AS $$
DECLARE
    partition record;
    occupied boolean;
    dropped integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('kuva.make_partitions'));
    FOR partition IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'open_batch'::regclass
          AND c.relname < to_char(now() - interval '2 hours', '"open_batch_"YYYYMMDD"_"HH24')
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %I)', partition.relname) INTO occupied;
        CONTINUE WHEN occupied;
        EXECUTE format('LOCK TABLE %I IN ACCESS EXCLUSIVE MODE', partition.relname);
        EXECUTE format('SELECT EXISTS (SELECT FROM %I)', partition.relname) INTO occupied;
        CONTINUE WHEN occupied;
        EXECUTE format('DROP TABLE %I', partition.relname);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END $$;

-- All that is known of a study when it opens on a node, in one round trip: it names its vault itself.
CREATE FUNCTION known_of_study(in_vault uuid, of_study text)
RETURNS TABLE (kind text, node uuid, epoch integer, block bytea, sop_uid text, digest bytea, transfer_syntax text, sop_class text)
LANGUAGE plpgsql SET search_path = kuva, pg_temp AS $$
BEGIN
    PERFORM set_config('kuva.vaults', ARRAY[in_vault]::text, true);
    RETURN QUERY
        SELECT 'open'::text, b.node, b.epoch, b.block, NULL::text, NULL::bytea, NULL::text, NULL::text
        FROM study s JOIN open_batch b ON b.study = s.id AND b.landed_at >= study_month(s.id)
        WHERE s.vault = in_vault AND s.study_uid = of_study AND b.vault = in_vault
      UNION ALL
        SELECT 'equivalent', NULL, NULL, NULL, e.sop_uid, e.digest, e.transfer_syntax, e.sop_class
        FROM equivalent e WHERE e.vault = in_vault AND e.study_uid = of_study
      UNION ALL
        SELECT i.kind, NULL, NULL, NULL, i.sop_uid, i.digest, i.transfer_syntax, i.sop_class
        FROM incident i
        WHERE i.vault = in_vault AND i.study_uid = of_study AND i.state = 'open' AND i.kind IN ('quarantine', 'dispute');
END $$;

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

-- A vault's name is nowhere in its volumes: whoever makes a vault leaves a fact, by whatever way it is made. A
-- rebuild replays facts instead of making new ones.
CREATE FUNCTION vault_fact(id uuid, name text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN json_build_object('kind', 'vault', 'vault', id, 'name', name)::text;

CREATE FUNCTION vault_made() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = kuva, pg_temp AS $$
BEGIN
    IF NOT (SELECT rebuilding FROM archive) THEN
        INSERT INTO fact (vault, kind, payload) VALUES (NEW.id, 'vault', vault_fact(NEW.id, NEW.name));
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER vault_made AFTER INSERT ON vault FOR EACH ROW EXECUTE FUNCTION vault_made();

-- As arbitration_blocks, which earlier programs go on asking, with the volumes.
CREATE FUNCTION arbitration_places(study bigint)
RETURNS TABLE (volume text, node uuid, epoch integer, first_position bigint, landed_at timestamptz, block bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = kuva, pg_temp
BEGIN ATOMIC
    SELECT NULL, b.node, b.epoch, b.first_position, b.landed_at, b.block
    FROM open_batch b
    WHERE b.study = arbitration_places.study AND b.landed_at >= study_month(arbitration_places.study)
  UNION ALL
    SELECT v.id, v.node, 0, 0, v.planned_at, v.block
    FROM volume v
    WHERE v.study = arbitration_places.study AND v.kind = 'kept' AND v.state IN ('verified', 'sealed')
      AND v.superseded_by IS NULL;
END;

-- As known_when_opened, which earlier programs go on asking, with the blocks of verified volumes.
CREATE FUNCTION known_with_volumes(in_vault uuid, of_study text)
RETURNS TABLE (kind text, node uuid, epoch integer, "position" bigint, block bytea, sop_uid text, digest bytea, transfer_syntax text, sop_class text)
LANGUAGE plpgsql SET search_path = kuva, pg_temp AS $$
BEGIN
    PERFORM set_config('kuva.vaults', ARRAY[in_vault]::text, true);
    RETURN QUERY
        SELECT k.kind, k.node, k.epoch, k.position, k.block, k.sop_uid, k.digest, k.transfer_syntax, k.sop_class
        FROM known_when_opened(in_vault, of_study) k
      UNION ALL
        SELECT 'volume', v.node, NULL, NULL, v.block, NULL, NULL, NULL, NULL
        FROM study s JOIN volume v ON v.study = s.id
        WHERE s.vault = in_vault AND s.study_uid = of_study AND v.vault = in_vault AND v.kind = 'kept'
          AND v.state IN ('verified', 'sealed') AND v.superseded_by IS NULL AND v.damaged_at IS NULL;
END $$;

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

GRANT SELECT ON archive, vault, vault_attributes, application_entity, ae_grant, node, node_epoch TO kuva_gateway;
GRANT INSERT ON vault, vault_attributes, application_entity, ae_grant, node, node_epoch TO kuva_gateway;
GRANT UPDATE ON application_entity, node, node_epoch TO kuva_gateway;
GRANT UPDATE (role, valid_until) ON ae_grant TO kuva_gateway;
GRANT SELECT, INSERT ON study, open_batch, locator, incident, equivalent, arbitration, other_patient, series_place
    TO kuva_gateway;
GRANT UPDATE (state, difference, resolution, resolution_reason, resolved_by, resolved_at, discarded_at, rescued_node,
    rescued_epoch, rescued_position) ON incident TO kuva_gateway;
GRANT DELETE ON arbitration TO kuva_gateway;
GRANT USAGE ON SEQUENCE study_counter TO kuva_gateway;
REVOKE EXECUTE ON FUNCTION make_partition(text, text, text, text) FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION make_partitions(), drop_empty_partitions(), arbitration_pending(interval, integer),
    arbitration_candidates(bigint[], bigint[]), arbitration_blocks(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION make_partitions(), drop_empty_partitions(), arbitration_pending(interval, integer),
    arbitration_candidates(bigint[], bigint[]), arbitration_blocks(bigint) TO kuva_gateway;
GRANT SELECT, INSERT ON volume, planned_batch, planned_newcomer, commitment, custody, fact, delivery TO kuva_gateway;
GRANT UPDATE (state, uncommitted, stored_at, verified_at, abandoned_at, received_from, received_to, length, data_length,
    damaged_at, reason, damage, superseded_by, digest, block) ON volume TO kuva_gateway;
GRANT UPDATE (node, epoch, association, deadline_at, resolved_at, failed, list, failures) ON commitment TO kuva_gateway;
GRANT UPDATE (id, written_at, payload) ON fact TO kuva_gateway;
GRANT UPDATE (node, epoch, association, next_attempt_at, attempts, lease, leased_until, leased_by, last_error, delivered_at,
    given_up_at, list) ON delivery TO kuva_gateway;
GRANT UPDATE (volume) ON incident TO kuva_gateway;
GRANT DELETE ON open_batch, planned_batch, planned_newcomer TO kuva_gateway;
REVOKE EXECUTE ON FUNCTION arbitration_places(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION arbitration_places(bigint) TO kuva_gateway;
GRANT UPDATE (rebuilding) ON archive TO kuva_gateway;
REVOKE EXECUTE ON FUNCTION rebuild_study(uuid, text, timestamptz, text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rebuild_study(uuid, text, timestamptz, text[]) TO kuva_gateway;
