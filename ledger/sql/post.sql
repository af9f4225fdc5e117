-- The only writers of the books. SQLSTATE CW001: the key was used for something else; CW002: these lines cannot be
-- booked; CW003: no granted approval for exactly these lines.

CREATE FUNCTION ledger_open_account(p_type text, p_asset text, p_owner bigint, p_venue_account bigint)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  v_id bigint;
BEGIN
  LOOP
    SELECT id INTO v_id FROM ledger_account
     WHERE type = p_type AND asset_id = p_asset AND owner_id IS NOT DISTINCT FROM p_owner
       AND venue_account_id IS NOT DISTINCT FROM p_venue_account;
    IF v_id IS NOT NULL THEN
      RETURN v_id;
    END IF;
    INSERT INTO ledger_account (type, asset_id, owner_id, venue_account_id)
    VALUES (p_type, p_asset, p_owner, p_venue_account)
    ON CONFLICT DO NOTHING RETURNING id INTO v_id;
    IF v_id IS NOT NULL AND p_type = 'USER' THEN
      INSERT INTO ledger_balance (account_id, available, held, version) VALUES (v_id, 0, 0, 0);
    END IF;
  END LOOP;
END $$;

-- The hold of a cause, locked until the end of the transaction; no row when there is none.
CREATE FUNCTION ledger_lock_hold(p_cause text, p_cause_id bigint)
RETURNS TABLE (id bigint, account_id bigint, asset text, remaining numeric, is_open boolean)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT h.id, h.account_id, a.asset_id, h.remaining, h.is_open
    FROM ledger_hold h JOIN ledger_account a ON a.id = h.account_id
   WHERE h.cause = p_cause AND h.cause_id = p_cause_id FOR UPDATE OF h;
$$;

-- What is available, locked until the end of the transaction.
CREATE FUNCTION ledger_lock_available(p_account bigint) RETURNS numeric
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT available FROM ledger_balance WHERE account_id = p_account FOR UPDATE;
$$;

CREATE FUNCTION ledger_lines_hash(p_lines jsonb) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT encode(sha256(convert_to(p_lines::text, 'UTF8')), 'hex');
$$;

-- Lines {account, bucket, amount}; holds {op: create, account, cause, cause_id, amount}, {op: consume, hold, amount},
-- {op: close, hold}. Locks in one order everywhere: key, holds by id, balances by account id.
CREATE FUNCTION ledger_post(
  p_scope text, p_key text, p_hash text, p_kind text, p_reference text, p_lines jsonb, p_holds jsonb,
  p_approval bigint, p_reverses bigint
) RETURNS TABLE (transfer_id bigint, is_new boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  v_transfer bigint;
  v_hash text;
  v_held jsonb;
  r record;
BEGIN
  INSERT INTO ledger_transfer (scope, key, request_hash, kind, reference, reverses_id, approval_id, created_at)
  VALUES (p_scope, p_key, p_hash, p_kind, p_reference, p_reverses, p_approval, clock_timestamp())
  ON CONFLICT (scope, key) DO NOTHING RETURNING id INTO v_transfer;
  IF v_transfer IS NULL THEN
    SELECT t.id, t.request_hash INTO v_transfer, v_hash FROM ledger_transfer t WHERE t.scope = p_scope AND t.key = p_key;
    IF v_hash <> p_hash THEN
      RAISE EXCEPTION 'key %:% was used for another request', p_scope, p_key USING ERRCODE = 'CW001';
    END IF;
    RETURN QUERY SELECT v_transfer, false;
    RETURN;
  END IF;

  PERFORM ledger_check_lines(p_lines);
  PERFORM ledger_check_approval(p_kind, p_lines, p_approval);
  v_held := ledger_apply_holds(p_holds);

  -- What is held on an account and what its holds say can never part.
  IF EXISTS (
    SELECT 1 FROM (
      SELECT (x->>'account')::bigint AS account, sum((x->>'amount')::numeric) AS delta
        FROM jsonb_array_elements(p_lines) x WHERE x->>'bucket' = 'H' GROUP BY 1
    ) l FULL JOIN (
      SELECT (x->>'account')::bigint AS account, sum((x->>'delta')::numeric) AS delta
        FROM jsonb_array_elements(v_held) x GROUP BY 1
    ) h USING (account)
    WHERE coalesce(l.delta, 0) <> coalesce(h.delta, 0)
  ) THEN
    RAISE EXCEPTION 'the lines and the holds differ' USING ERRCODE = 'CW002';
  END IF;

  FOR r IN
    SELECT b.account_id, l.available, l.held, l.n
      FROM (
        SELECT (x->>'account')::bigint AS account,
               coalesce(sum((x->>'amount')::numeric) FILTER (WHERE x->>'bucket' = 'A'), 0) AS available,
               coalesce(sum((x->>'amount')::numeric) FILTER (WHERE x->>'bucket' = 'H'), 0) AS held,
               count(*) AS n
          FROM jsonb_array_elements(p_lines) x GROUP BY 1
      ) l JOIN ledger_balance b ON b.account_id = l.account
     ORDER BY b.account_id
  LOOP
    UPDATE ledger_balance
       SET available = ledger_balance.available + r.available, held = ledger_balance.held + r.held,
           version = version + r.n
     WHERE account_id = r.account_id;
  END LOOP;

  INSERT INTO ledger_entry (transfer_id, account_id, asset_id, bucket, amount, seq, balance_after)
  SELECT v_transfer, a.id, a.asset_id, l.bucket, l.amount,
         CASE WHEN b.account_id IS NOT NULL THEN b.version - l.n + l.i END,
         CASE WHEN b.account_id IS NOT NULL
              THEN CASE l.bucket WHEN 'A' THEN b.available ELSE b.held END - l.total + l.running END
    FROM (
      SELECT account, bucket, amount, ord,
             row_number() OVER (PARTITION BY account ORDER BY ord) AS i,
             count(*) OVER (PARTITION BY account) AS n,
             sum(amount) OVER (PARTITION BY account, bucket ORDER BY ord) AS running,
             sum(amount) OVER (PARTITION BY account, bucket) AS total
        FROM (
          SELECT (x->>'account')::bigint AS account, x->>'bucket' AS bucket, (x->>'amount')::numeric AS amount, ord
            FROM jsonb_array_elements(p_lines) WITH ORDINALITY AS e (x, ord)
        ) raw
    ) l
    JOIN ledger_account a ON a.id = l.account
    LEFT JOIN ledger_balance b ON b.account_id = a.id
   ORDER BY l.ord;

  RETURN QUERY SELECT v_transfer, true;
END $$;

CREATE FUNCTION ledger_check_lines(p_lines jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  r record;
BEGIN
  IF jsonb_typeof(p_lines) <> 'array' OR jsonb_array_length(p_lines) < 2 THEN
    RAISE EXCEPTION 'a transfer has at least two lines' USING ERRCODE = 'CW002';
  END IF;
  FOR r IN
    SELECT x->>'account' AS account, x->>'bucket' AS bucket, (x->>'amount')::numeric AS amount,
           a.id AS found, s.scale, s.max_amount, b.account_id IS NOT NULL AS has_balance
      FROM jsonb_array_elements(p_lines) x
      LEFT JOIN ledger_account a ON a.id = (x->>'account')::bigint
      LEFT JOIN markets_asset s ON s.code = a.asset_id
      LEFT JOIN ledger_balance b ON b.account_id = a.id
  LOOP
    IF r.found IS NULL THEN
      RAISE EXCEPTION 'there is no account %', r.account USING ERRCODE = 'CW002';
    ELSIF r.amount IS NULL OR r.amount = 'NaN' OR r.amount = 0 THEN
      RAISE EXCEPTION 'an amount must be a number other than zero' USING ERRCODE = 'CW002';
    ELSIF r.amount <> round(r.amount, r.scale) THEN
      RAISE EXCEPTION 'amount % is finer than the asset allows', r.amount USING ERRCODE = 'CW002';
    ELSIF abs(r.amount) > r.max_amount THEN
      RAISE EXCEPTION 'amount % is more than the asset allows', r.amount USING ERRCODE = 'CW002';
    ELSIF r.bucket IS NULL OR (r.has_balance AND r.bucket NOT IN ('A', 'H')) OR (NOT r.has_balance AND r.bucket <> 'S') THEN
      RAISE EXCEPTION 'bucket % does not belong to account %', r.bucket, r.account USING ERRCODE = 'CW002';
    END IF;
  END LOOP;
END $$;

CREATE FUNCTION ledger_check_approval(p_kind text, p_lines jsonb, p_approval bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  IF p_kind NOT IN ('ADJUSTMENT', 'REVERSAL') THEN
    RETURN;
  END IF;
  UPDATE office_approval SET status = 'USED'
   WHERE id = p_approval AND status = 'GRANTED' AND payload_hash = ledger_lines_hash(p_lines);
  IF NOT FOUND THEN
    RAISE EXCEPTION 'no granted approval for these lines' USING ERRCODE = 'CW003';
  END IF;
END $$;

-- Makes, uses and closes holds; gives the change of what is held, by account.
CREATE FUNCTION ledger_apply_holds(p_holds jsonb) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  v_deltas jsonb := '[]';
  v_account bigint;
  v_amount numeric;
  r record;
BEGIN
  FOR r IN
    SELECT x FROM jsonb_array_elements(coalesce(p_holds, '[]')) x ORDER BY (x->>'hold')::bigint NULLS FIRST
  LOOP
    v_amount := (r.x->>'amount')::numeric;
    IF r.x->>'op' = 'create' THEN
      v_account := (r.x->>'account')::bigint;
      INSERT INTO ledger_hold (account_id, cause, cause_id, amount, remaining, is_open, created_at)
      VALUES (v_account, r.x->>'cause', (r.x->>'cause_id')::bigint, v_amount, v_amount, true, clock_timestamp());
    ELSIF r.x->>'op' = 'consume' THEN
      UPDATE ledger_hold SET remaining = remaining - v_amount
       WHERE id = (r.x->>'hold')::bigint AND is_open AND v_amount > 0 RETURNING account_id INTO v_account;
      v_amount := -v_amount;
    ELSIF r.x->>'op' = 'close' THEN
      SELECT account_id, -remaining INTO v_account, v_amount FROM ledger_hold
       WHERE id = (r.x->>'hold')::bigint AND is_open FOR UPDATE;
      UPDATE ledger_hold SET remaining = 0, is_open = false, closed_at = clock_timestamp()
       WHERE id = (r.x->>'hold')::bigint;
    ELSE
      RAISE EXCEPTION 'unknown change of a hold' USING ERRCODE = 'CW002';
    END IF;
    IF v_account IS NULL THEN
      RAISE EXCEPTION 'there is no such open hold' USING ERRCODE = 'CW002';
    END IF;
    v_deltas := v_deltas || jsonb_build_object('account', v_account, 'delta', v_amount::text);
    v_account := NULL;
  END LOOP;
  RETURN v_deltas;
END $$;

-- An empty hold is closed without a transfer: nothing moves.
CREATE FUNCTION ledger_close_empty_hold(p_hold bigint) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  UPDATE ledger_hold SET is_open = false, closed_at = clock_timestamp()
   WHERE id = p_hold AND is_open AND remaining = 0;
$$;
