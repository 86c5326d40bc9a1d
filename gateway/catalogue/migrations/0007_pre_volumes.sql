-- Volumes, storage commitment, what is owed to others, and facts on their way to the object store. An earlier
-- program beside this one goes on landing, but does not see what is in volumes: let it run on only briefly.

SET LOCAL search_path = kuva;

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

-- While a rebuild is unfinished nothing is served.
ALTER TABLE archive ADD rebuilding boolean NOT NULL DEFAULT false;

-- Where a quarantined newcomer lies, once its volume is verified.
ALTER TABLE incident ADD volume text COLLATE "C" REFERENCES volume;
CREATE INDEX incident_loose ON incident (node, id) WHERE kind = 'quarantine' AND volume IS NULL AND resolution IS DISTINCT FROM 'discard';

-- Where a caller takes its reports, and for how long its requests wait; NULL: as in the settings.
ALTER TABLE application_entity
    ADD report_host text CHECK (report_host <> ''),
    ADD report_port integer CHECK (report_port BETWEEN 1 AND 65535),
    ADD report_mode text CHECK (report_mode IN ('same', 'new', 'same_then_new')),
    ADD parking_seconds float8 CHECK (parking_seconds >= 0);

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

INSERT INTO fact (vault, kind, payload) SELECT id, 'vault', vault_fact(id, name) FROM vault ORDER BY created_at, id;

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
