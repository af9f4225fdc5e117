-- Run by `prepare` as the owner after every migration: the application reads the books and writes them by function only.
REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON
  ledger_account, ledger_balance, ledger_transfer, ledger_entry, ledger_hold FROM :app;
REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON ledger_seal, ledger_sealedtransfer FROM :app;
REVOKE UPDATE, TRUNCATE ON ledger_snapshot FROM :app;
REVOKE DELETE, TRUNCATE ON
  ledger_deposit, ledger_depositclaim, ledger_depositaddress, ledger_subaccount, ledger_historycheck FROM :app;
REVOKE DELETE, TRUNCATE ON ledger_withdrawal, ledger_withdrawalterms, ledger_savedaddress FROM :app;
REVOKE UPDATE, TRUNCATE ON ledger_withdrawalapproval FROM :app;
REVOKE UPDATE, DELETE, TRUNCATE ON office_auditrecord, ledger_proof, ledger_proofleaf, ledger_prooflevel FROM :app;
REVOKE DELETE, TRUNCATE ON office_approval, ledger_ledgerexception FROM :app;
REVOKE ALL ON FUNCTION
  ledger_open_account(text), ledger_lock_hold(text, bigint), ledger_release(text, bigint, text),
  ledger_post(text, text, text, text, text, text[], text[], numeric[], text[], text[], bigint[], text[], numeric[],
              bigint, bigint, boolean),
  ledger_resolve(text[], text[], numeric[]), ledger_spill(text[], text[], numeric[], text, bigint, text, numeric),
  ledger_check_approval(text, text[], text[], numeric[], bigint, bigint), ledger_shortage(bigint, text[], numeric[]),
  ledger_require_account(bigint, text), ledger_check_holds(text[], numeric[]),
  ledger_seal_block(int), ledger_note_exported(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
  ledger_lock_hold(text, bigint), ledger_release(text, bigint, text),
  ledger_post(text, text, text, text, text, text[], text[], numeric[], text[], text[], bigint[], text[], numeric[],
              bigint, bigint, boolean),
  ledger_seal_block(int), ledger_note_exported(bigint) TO :app;
