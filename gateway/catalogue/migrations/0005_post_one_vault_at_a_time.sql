-- The vault of a C-STORE follows from calling and called AE title, so a pair has one grant at a time. Earlier
-- programs took more, and stored into the first by role, beginning and vault. That one stays as it is; the
-- others give way: one that began earlier ends where it begins, one that began later is void (it ends where
-- it began). All rows stay, for history.
SET LOCAL search_path = kuva;

DO $$
DECLARE
    one ae_grant;
BEGIN
    FOR one IN SELECT * FROM ae_grant ORDER BY role, valid_from, vault LOOP
        UPDATE ae_grant SET valid_until = greatest(one.valid_from, ahead.began)
        FROM (SELECT min(valid_from) AS began FROM ae_grant
              WHERE calling = one.calling AND called = one.called
                AND (role, valid_from, vault) < (one.role, one.valid_from, one.vault)
                AND tstzrange(valid_from, valid_until) && tstzrange(one.valid_from, one.valid_until)) AS ahead
        WHERE calling = one.calling AND called = one.called AND vault = one.vault AND valid_from = one.valid_from
          AND ahead.began IS NOT NULL;
    END LOOP;
END $$;

-- Equality of text in a GiST index would need the extension btree_gist, which not every server has. A range
-- that holds one title does the same.
CREATE TYPE title_range AS RANGE (subtype = text, collation = "C");
ALTER TABLE ae_grant ADD CONSTRAINT ae_grant_one_vault_at_a_time EXCLUDE USING gist (
    title_range(calling, calling, '[]') WITH =,
    title_range(called, called, '[]') WITH =,
    tstzrange(valid_from, valid_until) WITH &&);
