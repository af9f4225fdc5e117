-- Deposits of before: the coin is the asset's code, and what is known of their times is when we saw them.
UPDATE ledger_deposit d SET coin = asset_id, inserted_at = seen_at, changed_at = seen_at,
  remainder = CASE WHEN transfer_id IS NULL THEN 0 ELSE amount - trunc(amount, a.scale) END
  FROM markets_asset a WHERE a.code = d.asset_id;

-- Explicitly named: numeric lets NaN pass a plain "> 0".
ALTER TABLE ledger_deposit
  ADD CONSTRAINT deposit_amounts_are_numbers CHECK (amount <> 'NaN' AND remainder <> 'NaN'),
  ADD CONSTRAINT deposit_status_is_known CHECK (status IN (
    'SEEN', 'HELD_UP', 'CHECKING', 'UNLISTED', 'LOCKED', 'CREDITED', 'REJECTED', 'GONE', 'DUST', 'UNATTRIBUTED',
    'RETURNED', 'KEPT', 'REVERSED', 'TAKEN_BACK'
  ));
ALTER TABLE ledger_depositclaim ADD CONSTRAINT claim_amount_is_a_number CHECK (amount <> 'NaN');
