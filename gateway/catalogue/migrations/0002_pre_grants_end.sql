-- A grant can be ended: its validity gets an end and the row stays, for history. One that ends before it
-- began was never valid; its interval is empty.
SET LOCAL search_path = kuva;

ALTER TABLE ae_grant DROP CONSTRAINT ae_grant_check;
ALTER TABLE ae_grant ADD CONSTRAINT ae_grant_check CHECK (valid_until >= valid_from);
GRANT UPDATE (role, valid_until) ON ae_grant TO kuva_gateway;
