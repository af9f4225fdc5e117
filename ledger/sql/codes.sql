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
ALTER TABLE ledger_entry ADD COLUMN xid xid8 NOT NULL DEFAULT pg_current_xact_id();
CREATE INDEX ledger_entry_of_the_house ON ledger_entry (account_id, xid) WHERE seq IS NULL;
CREATE INDEX ledger_transfer_by_xid ON ledger_transfer (xid);
