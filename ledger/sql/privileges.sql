-- Run by `prepare` as the owner after every migration: the application reads the books and writes them by function only.
REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON
  ledger_account, ledger_balance, ledger_transfer, ledger_entry, ledger_hold FROM :app;
REVOKE UPDATE, DELETE, TRUNCATE ON office_auditrecord FROM :app;
REVOKE ALL ON FUNCTION
  ledger_open_account(text, text, bigint, bigint), ledger_lock_hold(text, bigint), ledger_lock_available(bigint),
  ledger_post(text, text, text, text, text, jsonb, jsonb, bigint, bigint), ledger_close_empty_hold(bigint),
  ledger_check_lines(jsonb), ledger_check_approval(text, jsonb, bigint), ledger_apply_holds(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
  ledger_open_account(text, text, bigint, bigint), ledger_lock_hold(text, bigint), ledger_lock_available(bigint),
  ledger_post(text, text, text, text, text, jsonb, jsonb, bigint, bigint), ledger_close_empty_hold(bigint) TO :app;
