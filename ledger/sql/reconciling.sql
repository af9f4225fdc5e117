-- A difference is closed, never deleted; and what was closed stays as it was closed.
CREATE FUNCTION ledger_exception_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'a difference stays on record' USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER ledger_exception_is_for_ever BEFORE DELETE ON ledger_ledgerexception
  FOR EACH ROW EXECUTE FUNCTION ledger_exception_stays();
CREATE TRIGGER ledger_exception_closed_is_closed BEFORE UPDATE ON ledger_ledgerexception
  FOR EACH ROW WHEN (OLD.resolved_at IS NOT NULL) EXECUTE FUNCTION ledger_exception_stays();
CREATE TRIGGER ledger_exception_no_truncate BEFORE TRUNCATE ON ledger_ledgerexception
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_exception_stays();

-- Reports of a period find their transfers by time. Rows lie in the order of time, so a few pages tell where each
-- stretch lies, and those who write pay nothing for an index.
CREATE INDEX ledger_transfer_by_time ON ledger_transfer USING brin (created_at) WITH (pages_per_range = 32);
