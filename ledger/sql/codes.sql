-- Accounts by name, entries that know their transaction, and no index or foreign key the books do not need.
UPDATE ledger_account SET code = type || ':' || coalesce(coalesce(owner_id, venue_account_id)::text, '') || ':' || asset_id;
ALTER TABLE ledger_account
  ALTER COLUMN code SET NOT NULL,
  ADD CONSTRAINT account_type_is_known CHECK (type IN (
    'USER', 'CUSTODY', 'VENUE', 'FEES', 'COMMISSION', 'NETWORK_FEES', 'SLIPPAGE', 'SUSPENSE', 'ROUNDING', 'EQUITY'
  )),
  ADD CONSTRAINT account_code_says_what_it_is
    CHECK (code = type || ':' || coalesce(coalesce(owner_id, venue_account_id)::text, '') || ':' || asset_id);

ALTER TABLE ledger_transfer ADD CONSTRAINT transfer_kind_is_known CHECK (kind IN (
  'DEPOSIT', 'HOLD', 'RELEASE', 'FILL', 'FEE', 'COMMISSION', 'WITHDRAWAL', 'SWEEP', 'CROSS', 'DUST', 'ADJUSTMENT', 'REVERSAL'
));

-- Sums of the house's accounts begin at a safe horizon: entries of transactions that a snapshot could not see yet.
-- Entries that are there already are of their transfer's transaction.
ALTER TABLE ledger_entry ADD COLUMN xid xid8;
ALTER TABLE ledger_entry DISABLE TRIGGER ledger_entry_append_only;
UPDATE ledger_entry e SET xid = t.xid FROM ledger_transfer t WHERE t.id = e.transfer_id;
ALTER TABLE ledger_entry ENABLE TRIGGER ledger_entry_append_only;
ALTER TABLE ledger_entry ALTER COLUMN xid SET NOT NULL, ALTER COLUMN xid SET DEFAULT pg_current_xact_id();
CREATE INDEX ledger_entry_of_the_house ON ledger_entry (account_id, xid) WHERE seq IS NULL;
CREATE INDEX ledger_transfer_by_xid ON ledger_transfer (xid);

-- The laws of an INSERT of entries in one question a statement: each transfer is of this transaction and balances by
-- asset, each account exists and is of the asset. Accounts cannot go away, so this is as good as foreign keys.
ALTER TABLE ledger_entry DROP CONSTRAINT entry_account_and_asset;
CREATE OR REPLACE FUNCTION ledger_entry_check() RETURNS trigger LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  r record;
BEGIN
  SELECT sum(f.amount) AS total, bool_and(t.id IS NOT NULL) AS is_open, bool_and(a.id IS NOT NULL) AS is_known
    INTO r
    FROM fresh f
    -- LATERAL and LIMIT: one look into the index a row, whatever the planner believes of the size of `fresh`.
    LEFT JOIN LATERAL (
      SELECT id FROM ledger_transfer WHERE id = f.transfer_id AND xid = pg_current_xact_id() LIMIT 1) t ON true
    LEFT JOIN LATERAL (SELECT id FROM ledger_account WHERE id = f.account_id AND asset_id = f.asset_id LIMIT 1) a ON true
   GROUP BY f.transfer_id, f.asset_id
  HAVING sum(f.amount) <> 0 OR NOT bool_and(t.id IS NOT NULL AND a.id IS NOT NULL)
   LIMIT 1;
  IF NOT FOUND THEN
    RETURN NULL;
  ELSIF NOT r.is_open THEN
    RAISE EXCEPTION 'the transfer is closed' USING ERRCODE = 'check_violation';
  ELSIF NOT r.is_known THEN
    RAISE EXCEPTION 'no such account of the asset' USING ERRCODE = 'check_violation';
  END IF;
  RAISE EXCEPTION 'unbalanced transfer' USING ERRCODE = 'check_violation';
END $$;

CREATE FUNCTION ledger_account_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'an account stays what it is' USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER ledger_account_is_for_ever BEFORE UPDATE OR DELETE ON ledger_account
  FOR EACH ROW EXECUTE FUNCTION ledger_account_stays();
CREATE TRIGGER ledger_account_no_truncate BEFORE TRUNCATE ON ledger_account
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_account_stays();
