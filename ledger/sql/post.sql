-- The only writers of the books; `prepare` brings these functions up to date at every start.
-- SQLSTATE CW001: the key was used for something else; CW002: these lines cannot be booked; CW003: no granted approval
-- for exactly these lines. Accounts are named by their code, `type:owner or venue account:asset`.

DROP FUNCTION IF EXISTS
  ledger_open_account(text, text, bigint, bigint), ledger_lock_available(bigint), ledger_lines_hash(jsonb),
  ledger_post(text, text, text, text, text, jsonb, jsonb, bigint, bigint), ledger_close_empty_hold(bigint),
  ledger_check_lines(jsonb), ledger_check_approval(text, jsonb, bigint), ledger_apply_holds(jsonb);

-- The account of the code, opened when it is first used; a customer's has a balance from then on.
CREATE OR REPLACE FUNCTION ledger_open_account(p_code text) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  v_id bigint;
  v_type text := split_part(p_code, ':', 1);
  v_who bigint := nullif(split_part(p_code, ':', 2), '')::bigint;
BEGIN
  LOOP
    SELECT id INTO v_id FROM ledger_account WHERE code = p_code;
    IF v_id IS NOT NULL THEN
      RETURN v_id;
    END IF;
    INSERT INTO ledger_account (code, type, asset_id, owner_id, venue_account_id)
    VALUES (p_code, v_type, split_part(p_code, ':', 3), CASE WHEN v_type = 'USER' THEN v_who END,
            CASE WHEN v_type = 'VENUE' THEN v_who END)
    ON CONFLICT DO NOTHING RETURNING id INTO v_id;
    IF v_id IS NOT NULL AND v_type = 'USER' THEN
      INSERT INTO ledger_balance (account_id, available, held, version) VALUES (v_id, 0, 0, 0);
    END IF;
  END LOOP;
END $$;

-- The hold of a cause, locked until the end of the transaction; no row when there is none.
CREATE OR REPLACE FUNCTION ledger_lock_hold(p_cause text, p_cause_id bigint)
RETURNS TABLE (account text, remaining numeric, is_open boolean)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT a.code, h.remaining, h.is_open
    FROM ledger_hold h JOIN ledger_account a ON a.id = h.account_id
   WHERE h.cause = p_cause AND h.cause_id = p_cause_id FOR UPDATE OF h;
$$;

-- What an approval of these lines is bound to.
CREATE OR REPLACE FUNCTION ledger_lines_hash(p_accounts text[], p_buckets text[], p_amounts numeric[])
RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT encode(sha256(convert_to(string_agg(concat_ws(' ', code, bucket, trim_scale(amount)::text), E'\n' ORDER BY ord),
                                  'UTF8')), 'hex')
    FROM unnest(p_accounts, p_buckets, p_amounts) WITH ORDINALITY AS l (code, bucket, amount, ord);
$$;

-- One transfer under one key: lines (account, bucket, amount), and what becomes of holds, named by their cause:
--   create   the op's amount is held on the op's account
--   consume  the hold pays the op's amount; with p_spills what it no longer covers comes from what is available as far
--            as that reaches, and the rest from slippage (`short` tells how much the hold did not cover)
--   release  the hold is closed, and what it still held is available again: the function adds those two lines itself
-- Locks in one order everywhere: key, holds by id, balances by account id.
CREATE OR REPLACE FUNCTION ledger_post(
  p_scope text, p_key text, p_hash text, p_kind text, p_reference text,
  p_accounts text[], p_buckets text[], p_amounts numeric[],
  p_ops text[], p_causes text[], p_cause_ids bigint[], p_op_accounts text[], p_op_amounts numeric[],
  p_approval bigint, p_reverses bigint, p_spills boolean
) RETURNS TABLE (transfer_id bigint, is_new boolean, short numeric)
-- One row: a statement that writes more would else be planned for a thousand, and anew each time.
LANGUAGE plpgsql SECURITY DEFINER ROWS 1 SET search_path = pg_catalog, public, pg_temp
-- Planned once a session: the planner would else plan anew for every length of an array, a third of the whole cost.
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_transfer bigint;
  v_hash text;
  v_ids bigint[];
  v_assets text[];
  v_good boolean;
  v_hold_accounts bigint[] := '{}';
  v_hold_deltas numeric[] := '{}';
  v_account bigint;
  v_remaining numeric;
  v_short numeric := 0;
  v_delta numeric;
  v_available numeric;
  v_held numeric;
  v_version bigint;
  v_seqs bigint[];
  v_afters numeric[];
  r record;
BEGIN
  -- Columns of one length that begin at one, for they are read by place below.
  IF array_dims(p_buckets) IS DISTINCT FROM array_dims(p_accounts)
     OR array_dims(p_amounts) IS DISTINCT FROM array_dims(p_accounts)
     OR array_dims(p_causes) IS DISTINCT FROM array_dims(p_ops)
     OR array_dims(p_cause_ids) IS DISTINCT FROM array_dims(p_ops)
     OR array_dims(p_op_accounts) IS DISTINCT FROM array_dims(p_ops)
     OR array_dims(p_op_amounts) IS DISTINCT FROM array_dims(p_ops)
     OR array_ndims(p_accounts) <> 1 OR array_lower(p_accounts, 1) <> 1
     OR array_ndims(p_ops) <> 1 OR array_lower(p_ops, 1) <> 1
  THEN
    RAISE EXCEPTION 'the columns of the lines or of the holds differ in shape' USING ERRCODE = 'CW002';
  END IF;
  INSERT INTO ledger_transfer (scope, key, request_hash, kind, reference, reverses_id, approval_id, created_at)
  VALUES (p_scope, p_key, p_hash, p_kind, p_reference, p_reverses, p_approval, clock_timestamp())
  ON CONFLICT (scope, key) DO NOTHING RETURNING id INTO v_transfer;
  IF v_transfer IS NULL THEN
    SELECT t.id, t.request_hash INTO v_transfer, v_hash FROM ledger_transfer t WHERE t.scope = p_scope AND t.key = p_key;
    IF v_hash <> p_hash THEN
      RAISE EXCEPTION 'key %:% was used for another request', p_scope, p_key USING ERRCODE = 'CW001';
    END IF;
    RETURN QUERY
      SELECT v_transfer, false, CASE WHEN p_spills THEN ledger_shortage(v_transfer, p_ops, p_op_amounts) ELSE 0 END;
    RETURN;
  END IF;
  IF p_kind IN ('ADJUSTMENT', 'REVERSAL') OR p_reverses IS NOT NULL OR p_approval IS NOT NULL THEN
    IF cardinality(p_ops) > 0 OR p_spills THEN
      RAISE EXCEPTION 'a correction changes no hold' USING ERRCODE = 'CW002';
    END IF;
    PERFORM ledger_check_approval(p_kind, p_accounts, p_buckets, p_amounts, p_approval, p_reverses);
  END IF;

  FOR i IN 1 .. cardinality(p_accounts) LOOP
    IF i = 1 OR p_accounts[i] IS DISTINCT FROM p_accounts[i - 1] THEN
      SELECT a.id, a.asset_id, a.type, s.scale, s.max_amount INTO r
        FROM ledger_account a JOIN markets_asset s ON s.code = a.asset_id WHERE a.code = p_accounts[i];
    END IF;
    v_good := ledger_is_bookable(r.type, p_buckets[i], p_amounts[i], r.scale, r.max_amount);
    EXIT WHEN v_good IS NOT TRUE;
    v_ids[i] := r.id;
    v_assets[i] := r.asset_id;
  END LOOP;
  IF v_good IS NOT TRUE AND cardinality(p_accounts) > 0 THEN
    SELECT f.ids, f.assets INTO v_ids, v_assets FROM ledger_resolve(p_accounts, p_buckets, p_amounts) f;
  END IF;

  IF cardinality(p_ops) > 1 THEN
    PERFORM 1 FROM ledger_hold h
       JOIN (SELECT DISTINCT * FROM unnest(p_causes, p_cause_ids) AS u (cause, cause_id)) w
         ON h.cause = w.cause AND h.cause_id = w.cause_id
      ORDER BY h.id FOR UPDATE OF h;
    -- Of one account's holds the lines give only the sum, so parts of a unit could hide in several.
    IF cardinality(array_remove(p_ops, 'release')) > 1 THEN
      PERFORM ledger_check_holds(p_op_accounts, p_op_amounts);
    END IF;
  END IF;
  FOR i IN 1 .. cardinality(p_ops) LOOP
    v_account := NULL;
    IF p_ops[i] = 'create' THEN
      v_account := v_ids[array_position(p_accounts, p_op_accounts[i])];
      v_delta := p_op_amounts[i];
      INSERT INTO ledger_hold (account_id, cause, cause_id, amount, remaining, is_open, created_at)
      VALUES (v_account, p_causes[i], p_cause_ids[i], v_delta, v_delta, true, clock_timestamp());
    ELSIF p_ops[i] = 'consume' THEN
      IF (p_op_amounts[i] >= 0 AND p_op_amounts[i] <> 'NaN') IS NOT TRUE THEN
        RAISE EXCEPTION 'a hold pays no less than nothing' USING ERRCODE = 'CW002';
      END IF;
      v_delta := -p_op_amounts[i];
      UPDATE ledger_hold h SET remaining = h.remaining - p_op_amounts[i]
       WHERE h.cause = p_causes[i] AND h.cause_id = p_cause_ids[i] AND h.is_open
         AND (NOT p_spills OR h.remaining >= p_op_amounts[i])
       RETURNING h.account_id INTO v_account;
      IF v_account IS NULL AND p_spills THEN
        SELECT f.accounts, f.buckets, f.amounts, f.taken, f.account
          INTO p_accounts, p_buckets, p_amounts, v_remaining, v_account
          FROM ledger_spill(p_accounts, p_buckets, p_amounts, p_causes[i], p_cause_ids[i], p_op_accounts[i],
                            p_op_amounts[i]) f;
        v_short := p_op_amounts[i] - v_remaining;
        v_delta := -v_remaining;
        SELECT f.ids, f.assets INTO v_ids, v_assets FROM ledger_resolve(p_accounts, p_buckets, p_amounts) f;
      END IF;
    ELSIF p_ops[i] = 'release' THEN
      SELECT h.account_id, h.remaining INTO v_account, v_remaining FROM ledger_hold h
       WHERE h.cause = p_causes[i] AND h.cause_id = p_cause_ids[i] AND h.is_open FOR UPDATE;
      CONTINUE WHEN v_account IS NULL AND p_spills;  -- a fill that came late finds its hold closed
      UPDATE ledger_hold h SET remaining = 0, is_open = false, closed_at = clock_timestamp()
       WHERE h.cause = p_causes[i] AND h.cause_id = p_cause_ids[i];
      v_delta := -v_remaining;
      IF v_remaining > 0 THEN
        v_ids := v_ids || ARRAY[v_account, v_account];
        v_assets := v_assets || array_fill(split_part(p_op_accounts[i], ':', 3), ARRAY[2]);
        p_buckets := p_buckets || ARRAY['H', 'A'];
        p_amounts := p_amounts || ARRAY[-v_remaining, v_remaining];
      END IF;
    ELSE
      RAISE EXCEPTION 'unknown change of a hold' USING ERRCODE = 'CW002';
    END IF;
    IF v_account IS NULL THEN
      RAISE EXCEPTION 'there is no such open hold' USING ERRCODE = 'CW002';
    ELSIF v_account IS DISTINCT FROM v_ids[array_position(p_accounts, p_op_accounts[i])] THEN
      PERFORM ledger_require_account(v_account, p_op_accounts[i]);
    END IF;
    IF v_delta <> 0 THEN
      v_hold_accounts := v_hold_accounts || v_account;
      v_hold_deltas := v_hold_deltas || v_delta;
    END IF;
  END LOOP;
  IF coalesce(cardinality(v_ids), 0) < 2 THEN
    RAISE EXCEPTION 'a transfer has at least two lines' USING ERRCODE = 'CW002';
  END IF;

  v_seqs := array_fill(NULL::bigint, ARRAY[cardinality(v_ids)]);
  v_afters := array_fill(NULL::numeric, ARRAY[cardinality(v_ids)]);
  FOR r IN
    SELECT l.id, coalesce(sum(l.amount) FILTER (WHERE l.bucket = 'A'), 0) AS available,
           coalesce(sum(l.amount) FILTER (WHERE l.bucket = 'H'), 0) AS held, count(*) AS n
      FROM unnest(v_ids, p_buckets, p_amounts) AS l (id, bucket, amount)
     WHERE l.bucket <> 'S' GROUP BY l.id ORDER BY l.id
  LOOP
    -- What is held on an account and what its holds say can never part.
    v_delta := r.held;
    FOR i IN 1 .. cardinality(v_hold_accounts) LOOP
      IF v_hold_accounts[i] = r.id THEN
        v_delta := v_delta - v_hold_deltas[i];
        v_hold_deltas[i] := 0;
      END IF;
    END LOOP;
    IF v_delta <> 0 THEN
      RAISE EXCEPTION 'the lines and the holds differ' USING ERRCODE = 'CW002';
    END IF;
    UPDATE ledger_balance b
       SET available = b.available + r.available, held = b.held + r.held, version = b.version + r.n
     WHERE b.account_id = r.id RETURNING b.available, b.held, b.version INTO v_available, v_held, v_version;
    FOR i IN REVERSE cardinality(v_ids) .. 1 LOOP
      CONTINUE WHEN v_ids[i] <> r.id;
      v_seqs[i] := v_version;
      v_version := v_version - 1;
      IF p_buckets[i] = 'A' THEN
        v_afters[i] := v_available;
        v_available := v_available - p_amounts[i];
      ELSE
        v_afters[i] := v_held;
        v_held := v_held - p_amounts[i];
      END IF;
    END LOOP;
  END LOOP;
  FOR i IN 1 .. cardinality(v_hold_deltas) LOOP
    IF v_hold_deltas[i] <> 0 THEN
      RAISE EXCEPTION 'the lines and the holds differ' USING ERRCODE = 'CW002';
    END IF;
  END LOOP;

  INSERT INTO ledger_entry (transfer_id, account_id, asset_id, bucket, amount, seq, balance_after)
  SELECT v_transfer, l.* FROM unnest(v_ids, v_assets, p_buckets, p_amounts, v_seqs, v_afters) AS l;
  transfer_id := v_transfer;
  is_new := true;
  short := v_short;
  RETURN NEXT;
END $$;

-- True for a line the books can take: a number of the asset's scale and size, in a bucket the account has.
CREATE OR REPLACE FUNCTION ledger_is_bookable(p_type text, p_bucket text, p_amount numeric, p_scale int, p_most numeric)
RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
  SELECT p_type IS NOT NULL AND p_amount <> 0 AND p_amount <> 'NaN' AND p_amount = round(p_amount, p_scale)
     AND abs(p_amount) <= p_most AND CASE WHEN p_type = 'USER' THEN p_bucket IN ('A', 'H') ELSE p_bucket = 'S' END;
$$;

-- What a hold did not cover of what a transfer under a key that was used already let it pay.
CREATE OR REPLACE FUNCTION ledger_shortage(p_transfer bigint, p_ops text[], p_op_amounts numeric[]) RETURNS numeric
LANGUAGE sql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT greatest(0, coalesce(wanted.amount, 0) + coalesce(paid.amount, 0))
    FROM (SELECT sum(amount) AS amount FROM unnest(p_ops, p_op_amounts) AS o (op, amount) WHERE op = 'consume') wanted,
         (SELECT sum(amount) AS amount FROM ledger_entry WHERE transfer_id = p_transfer AND bucket = 'H') paid;
$$;

-- Refuses a change of a hold in the name of another account than the hold's.
CREATE OR REPLACE FUNCTION ledger_require_account(p_account bigint, p_code text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM ledger_account WHERE id = p_account AND code = p_code) THEN
    RAISE EXCEPTION 'the hold is on another account than %', p_code USING ERRCODE = 'CW002';
  END IF;
END $$;

-- Refuses changes of holds finer than their asset.
CREATE OR REPLACE FUNCTION ledger_check_holds(p_accounts text[], p_amounts numeric[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  IF EXISTS (
    SELECT 1 FROM unnest(p_accounts, p_amounts) AS o (code, amount)
     WHERE amount <> round(amount, (SELECT s.scale FROM markets_asset s WHERE s.code = split_part(o.code, ':', 3)))
  ) THEN
    RAISE EXCEPTION 'a hold is finer than its asset allows' USING ERRCODE = 'CW002';
  END IF;
END $$;

-- A hold that no longer covers what it should pay: what it has, what is available, and the rest as slippage.
CREATE OR REPLACE FUNCTION ledger_spill(
  p_accounts text[], p_buckets text[], p_amounts numeric[], p_cause text, p_cause_id bigint, p_payer text, p_cost numeric,
  OUT accounts text[], OUT buckets text[], OUT amounts numeric[], OUT taken numeric, OUT account bigint
) LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  v_spilled numeric;
  v_holder bigint;
BEGIN
  account := ledger_open_account(p_payer);
  SELECT least(h.remaining, p_cost), h.account_id INTO taken, v_holder FROM ledger_hold h
   WHERE h.cause = p_cause AND h.cause_id = p_cause_id FOR UPDATE;
  IF v_holder IS NOT NULL THEN
    PERFORM ledger_require_account(v_holder, p_payer);
  END IF;
  taken := coalesce(taken, 0);
  UPDATE ledger_hold h SET remaining = h.remaining - taken
   WHERE h.cause = p_cause AND h.cause_id = p_cause_id AND taken > 0;
  PERFORM 1 FROM ledger_balance b JOIN ledger_account a ON a.id = b.account_id
    WHERE a.code = ANY (p_accounts) ORDER BY b.account_id FOR UPDATE OF b;
  SELECT least(b.available, p_cost - taken) INTO v_spilled FROM ledger_balance b WHERE b.account_id = account;
  SELECT array_agg(l.code ORDER BY l.ord), array_agg(l.bucket ORDER BY l.ord), array_agg(l.amount ORDER BY l.ord)
    INTO accounts, buckets, amounts
    FROM (
      SELECT code, bucket, CASE WHEN code = p_payer AND bucket = 'H' THEN -taken ELSE amount END, ord
        FROM unnest(p_accounts, p_buckets, p_amounts) WITH ORDINALITY AS given (code, bucket, amount, ord)
      UNION ALL VALUES (p_payer, 'A', -v_spilled, 1000),
                       ('SLIPPAGE::' || split_part(p_payer, ':', 3), 'S', v_spilled - (p_cost - taken), 1001)
    ) AS l (code, bucket, amount, ord)
   WHERE l.amount <> 0;
END $$;

-- The ids and assets of the lines' accounts, opened where they are used for the first time; refuses, with the reason,
-- lines the books cannot take.
CREATE OR REPLACE FUNCTION ledger_resolve(
  p_accounts text[], p_buckets text[], p_amounts numeric[], OUT ids bigint[], OUT assets text[]
) LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  r record;
  v_code text;
BEGIN
  -- In one order everywhere: who opens two accounts waits for who opens the same two the other way round.
  FOR v_code IN SELECT DISTINCT u.code FROM unnest(p_accounts) AS u (code) ORDER BY u.code DESC LOOP
    PERFORM ledger_open_account(v_code);
  END LOOP;
  FOR r IN
    SELECT l.code, l.bucket, l.amount, a.id, a.asset_id, a.type, s.scale, s.max_amount
      FROM unnest(p_accounts, p_buckets, p_amounts) WITH ORDINALITY AS l (code, bucket, amount, ord)
      JOIN ledger_account a ON a.code = l.code
      LEFT JOIN markets_asset s ON s.code = a.asset_id ORDER BY l.ord
  LOOP
    IF r.amount IS NULL OR r.amount = 'NaN' OR r.amount = 0 THEN
      RAISE EXCEPTION 'an amount must be a number other than zero' USING ERRCODE = 'CW002';
    ELSIF r.scale IS NULL THEN
      RAISE EXCEPTION 'there is no asset %', r.asset_id USING ERRCODE = 'CW002';
    ELSIF r.amount <> round(r.amount, r.scale) THEN
      RAISE EXCEPTION 'amount % is finer than the asset allows', r.amount USING ERRCODE = 'CW002';
    ELSIF abs(r.amount) > r.max_amount THEN
      RAISE EXCEPTION 'amount % is more than the asset allows', r.amount USING ERRCODE = 'CW002';
    ELSIF ledger_is_bookable(r.type, r.bucket, r.amount, r.scale, r.max_amount) IS NOT TRUE THEN
      RAISE EXCEPTION 'bucket % does not belong to account %', r.bucket, r.code USING ERRCODE = 'CW002';
    END IF;
    ids := ids || r.id;
    assets := assets || r.asset_id::text;
  END LOOP;
END $$;

-- A correction is what a second person granted, used up by it; a reversal takes back exactly what it reverses.
CREATE OR REPLACE FUNCTION ledger_check_approval(
  p_kind text, p_accounts text[], p_buckets text[], p_amounts numeric[], p_approval bigint, p_reverses bigint
) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  IF p_kind NOT IN ('ADJUSTMENT', 'REVERSAL') OR (p_kind = 'REVERSAL') <> (p_reverses IS NOT NULL) THEN
    RAISE EXCEPTION 'approvals are for adjustments, and reversals for what they reverse' USING ERRCODE = 'CW002';
  END IF;
  UPDATE office_approval SET status = 'USED'
   WHERE id = p_approval AND status = 'GRANTED' AND decided_by_id <> asked_by_id
     AND payload_hash = ledger_lines_hash(p_accounts, p_buckets, p_amounts);
  IF NOT FOUND THEN
    RAISE EXCEPTION 'no granted approval for these lines' USING ERRCODE = 'CW003';
  END IF;
  IF p_kind = 'REVERSAL' AND EXISTS (
    SELECT 1 FROM (
      SELECT a.code, sum(e.amount) AS amount FROM ledger_entry e JOIN ledger_account a ON a.id = e.account_id
       WHERE e.transfer_id = p_reverses GROUP BY a.code
    ) was FULL JOIN (
      SELECT code, sum(amount) AS amount FROM unnest(p_accounts, p_amounts) AS l (code, amount) GROUP BY code
    ) now USING (code)
    WHERE coalesce(was.amount, 0) + coalesce(now.amount, 0) <> 0
  ) THEN
    RAISE EXCEPTION 'a reversal takes back exactly what it reverses' USING ERRCODE = 'CW002';
  END IF;
END $$;

-- What the cause still holds is available again: a transfer of its own under the cause's name; gives how much it was.
-- p_hash is the call's own: repeated with it, after an answer that was lost, it gives the same amount again.
CREATE OR REPLACE FUNCTION ledger_release(p_cause text, p_cause_id bigint, p_hash text) RETURNS numeric
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  v_name text := p_cause || ':' || p_cause_id;
  r record;
BEGIN
  SELECT * INTO r FROM ledger_lock_hold(p_cause, p_cause_id);
  IF NOT FOUND OR NOT r.is_open THEN
    RETURN coalesce((SELECT sum(e.amount) FROM ledger_transfer t JOIN ledger_entry e ON e.transfer_id = t.id
                      WHERE t.scope = 'release' AND t.key = v_name AND t.request_hash = p_hash AND e.bucket = 'A'), 0);
  ELSIF r.remaining = 0 THEN  -- nothing moves, so there is nothing to book
    UPDATE ledger_hold SET is_open = false, closed_at = clock_timestamp() WHERE cause = p_cause AND cause_id = p_cause_id;
    RETURN 0;
  END IF;
  PERFORM ledger_post('release', v_name, p_hash, 'RELEASE', v_name, '{}', '{}', '{}', ARRAY['release'], ARRAY[p_cause],
                      ARRAY[p_cause_id], ARRAY[r.account], ARRAY[NULL::numeric], NULL, NULL, false);
  RETURN r.remaining;
END $$;
