-- The laws of seals and snapshots.
ALTER TABLE ledger_seal
  ADD CONSTRAINT seal_hashes_are_hashes CHECK (
    previous_hash ~ '^[0-9a-f]{64}$' AND hash ~ '^[0-9a-f]{64}$' AND root ~ '^[0-9a-f]{64}$');
ALTER TABLE ledger_sealedtransfer ADD CONSTRAINT sealed_leaf_is_a_hash CHECK (octet_length(leaf) = 32);
ALTER TABLE ledger_snapshot ADD CONSTRAINT snapshot_amount_is_a_number CHECK (amount <> 'NaN');

CREATE TRIGGER ledger_sealedtransfer_append_only BEFORE UPDATE OR DELETE ON ledger_sealedtransfer
  FOR EACH ROW EXECUTE FUNCTION ledger_append_only();
CREATE TRIGGER ledger_sealedtransfer_no_truncate BEFORE TRUNCATE ON ledger_sealedtransfer
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_append_only();

-- A seal stays what it is; only that it was exported is noted, once.
CREATE FUNCTION ledger_seal_stays() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  v_at timestamptz;
BEGIN
  IF TG_OP = 'UPDATE' THEN
    v_at := NEW.exported_at;
    NEW.exported_at := OLD.exported_at;
    IF OLD.exported_at IS NULL AND NEW IS NOT DISTINCT FROM OLD THEN
      NEW.exported_at := v_at;
      RETURN NEW;
    END IF;
  END IF;
  RAISE EXCEPTION 'append-only table %', TG_TABLE_NAME USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER ledger_seal_append_only BEFORE UPDATE OR DELETE ON ledger_seal
  FOR EACH ROW EXECUTE FUNCTION ledger_seal_stays();
CREATE TRIGGER ledger_seal_no_truncate BEFORE TRUNCATE ON ledger_seal
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_append_only();
