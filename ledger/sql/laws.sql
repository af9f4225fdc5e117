-- The laws of the books. Every rule here holds whoever writes, the functions of post.sql included.

ALTER TABLE ledger_transfer ADD COLUMN xid xid8 NOT NULL DEFAULT pg_current_xact_id();

-- Explicitly named: numeric lets NaN pass a plain ">= 0".
ALTER TABLE ledger_balance
  ADD CONSTRAINT balance_available_not_negative CHECK (available >= 0 AND available <> 'NaN'),
  ADD CONSTRAINT balance_held_not_negative CHECK (held >= 0 AND held <> 'NaN');
ALTER TABLE ledger_balance SET (fillfactor = 70);
ALTER TABLE ledger_entry
  ADD CONSTRAINT entry_amount_is_a_number CHECK (amount <> 0 AND amount <> 'NaN'),
  ADD CONSTRAINT entry_account_and_asset FOREIGN KEY (account_id, asset_id) REFERENCES ledger_account (id, asset_id);
ALTER TABLE ledger_hold
  ADD CONSTRAINT hold_amounts_are_numbers CHECK (amount > 0 AND amount <> 'NaN' AND remaining <> 'NaN');

-- Each INSERT balances by asset, so every transfer does; and a transfer is closed once its transaction is over.
CREATE FUNCTION ledger_entry_check() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM fresh GROUP BY transfer_id, asset_id HAVING sum(amount) <> 0) THEN
    RAISE EXCEPTION 'unbalanced transfer' USING ERRCODE = 'check_violation';
  END IF;
  IF EXISTS (SELECT 1 FROM fresh JOIN ledger_transfer t ON t.id = fresh.transfer_id
             WHERE t.xid <> pg_current_xact_id()) THEN
    RAISE EXCEPTION 'the transfer is closed' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER ledger_entry_balanced AFTER INSERT ON ledger_entry
  REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION ledger_entry_check();

CREATE FUNCTION ledger_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'append-only table %', TG_TABLE_NAME USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER ledger_entry_append_only BEFORE UPDATE OR DELETE ON ledger_entry
  FOR EACH ROW EXECUTE FUNCTION ledger_append_only();
CREATE TRIGGER ledger_entry_no_truncate BEFORE TRUNCATE ON ledger_entry
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_append_only();
CREATE TRIGGER ledger_transfer_append_only BEFORE UPDATE OR DELETE ON ledger_transfer
  FOR EACH ROW EXECUTE FUNCTION ledger_append_only();
CREATE TRIGGER ledger_transfer_no_truncate BEFORE TRUNCATE ON ledger_transfer
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_append_only();
CREATE TRIGGER office_auditrecord_append_only BEFORE UPDATE OR DELETE ON office_auditrecord
  FOR EACH ROW EXECUTE FUNCTION ledger_append_only();
