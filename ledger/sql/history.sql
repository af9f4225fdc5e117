-- How far an account's entries went before a moment: the number of the last one that counts, 0 when none does.
-- A posting's time is when it began, its number in the account is given when it has the balance's lock, so times ascend
-- with numbers except where postings overlap. The descent looks at fixed numbers only (a power of two each time smaller),
-- so the answer never goes back as the moment moves on, is the same whenever it is asked again, and costs as many looks
-- into an index as the number of entries has binary digits. A posting under way at the moment counts or does not.
CREATE FUNCTION ledger_seq_before(p_account bigint, p_moment timestamptz) RETURNS bigint
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  v_last bigint;
  v_seq bigint := 0;
  v_step bigint := 1;
BEGIN
  SELECT version INTO v_last FROM ledger_balance WHERE account_id = p_account;
  WHILE v_step * 2 <= v_last LOOP
    v_step := v_step * 2;
  END LOOP;
  WHILE v_step > 0 LOOP
    IF v_seq + v_step <= v_last AND (
      SELECT t.created_at < p_moment FROM ledger_entry e JOIN ledger_transfer t ON t.id = e.transfer_id
       WHERE e.account_id = p_account AND e.seq = v_seq + v_step
    ) THEN
      v_seq := v_seq + v_step;
    END IF;
    v_step := v_step / 2;
  END LOOP;
  RETURN v_seq;
END $$;

-- What was available and held after the account's entry of that number: its last entry in each bucket says so.
-- An account that never had a hold never held anything; only then would the look for one go back to the beginning.
CREATE FUNCTION ledger_balance_after(p_account bigint, p_seq bigint, OUT available numeric, OUT held numeric)
LANGUAGE sql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT coalesce((SELECT e.balance_after FROM ledger_entry e
                    WHERE e.account_id = p_account AND e.bucket = 'A' AND e.seq <= p_seq ORDER BY e.seq DESC LIMIT 1), 0),
         CASE WHEN EXISTS (SELECT 1 FROM ledger_hold h WHERE h.account_id = p_account) THEN
           coalesce((SELECT e.balance_after FROM ledger_entry e
                      WHERE e.account_id = p_account AND e.bucket = 'H' AND e.seq <= p_seq ORDER BY e.seq DESC LIMIT 1), 0)
         ELSE 0 END;
$$;
