-- A proof is whole when its transaction ends, and stays what it is.
ALTER TABLE ledger_proof ADD COLUMN xid xid8 NOT NULL DEFAULT pg_current_xact_id();
ALTER TABLE ledger_proofleaf ADD CONSTRAINT proof_nonce_has_32_bytes CHECK (octet_length(nonce) = 32);
-- Not compressed (hashes are not compressible), so that a few records of a level are read without the others.
ALTER TABLE ledger_prooflevel ALTER COLUMN records SET STORAGE EXTERNAL;

CREATE FUNCTION ledger_proof_is_open() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM fresh LEFT JOIN ledger_proof p ON p.id = fresh.proof_id AND p.xid = pg_current_xact_id()
             WHERE p.id IS NULL) THEN
    RAISE EXCEPTION 'the proof is published' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER ledger_proofleaf_in_time AFTER INSERT ON ledger_proofleaf
  REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION ledger_proof_is_open();
CREATE TRIGGER ledger_prooflevel_in_time AFTER INSERT ON ledger_prooflevel
  REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION ledger_proof_is_open();

CREATE TRIGGER ledger_proof_append_only BEFORE UPDATE OR DELETE ON ledger_proof
  FOR EACH ROW EXECUTE FUNCTION ledger_append_only();
CREATE TRIGGER ledger_proof_no_truncate BEFORE TRUNCATE ON ledger_proof
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_append_only();
CREATE TRIGGER ledger_proofleaf_append_only BEFORE UPDATE OR DELETE ON ledger_proofleaf
  FOR EACH ROW EXECUTE FUNCTION ledger_append_only();
CREATE TRIGGER ledger_proofleaf_no_truncate BEFORE TRUNCATE ON ledger_proofleaf
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_append_only();
CREATE TRIGGER ledger_prooflevel_append_only BEFORE UPDATE OR DELETE ON ledger_prooflevel
  FOR EACH ROW EXECUTE FUNCTION ledger_append_only();
CREATE TRIGGER ledger_prooflevel_no_truncate BEFORE TRUNCATE ON ledger_prooflevel
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_append_only();
