-- The house trades with customers at a firm price: an account for its position, and two kinds of transfers.
ALTER TABLE ledger_account DROP CONSTRAINT account_type_is_known;
ALTER TABLE ledger_account ADD CONSTRAINT account_type_is_known CHECK (type IN (
  'USER', 'CUSTODY', 'VENUE', 'FEES', 'COMMISSION', 'NETWORK_FEES', 'SLIPPAGE', 'SUSPENSE', 'ROUNDING', 'CONVERSION', 'EQUITY'
));
ALTER TABLE ledger_transfer DROP CONSTRAINT transfer_kind_is_known;
ALTER TABLE ledger_transfer ADD CONSTRAINT transfer_kind_is_known CHECK (kind IN (
  'DEPOSIT', 'HOLD', 'RELEASE', 'FILL', 'FEE', 'COMMISSION', 'WITHDRAWAL', 'SWEEP', 'CROSS', 'CONVERT', 'COVER', 'DUST',
  'ADJUSTMENT', 'REVERSAL'
));
