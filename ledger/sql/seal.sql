-- The only writers of seals, and sums from a safe horizon on; `prepare` brings these functions up to date at every start.
-- `ledger/seals.py` computes the same hashes by other code, and `ledger_verify` compares.
-- SQLSTATE CW004: this server's transaction ids are behind those of the books.

-- Horizons are transaction ids. A database that was dumped and restored into a younger server would use ids below the
-- horizons anew, and what it posts then would be neither sealed nor counted: it does not start.
DO $$
BEGIN
  IF EXISTS (SELECT 1 FROM ledger_transfer WHERE xid >= pg_snapshot_xmax(pg_current_snapshot())) THEN
    RAISE EXCEPTION 'the books know transaction ids this server has not reached; after a restore from a dump stop the '
      'server and move its ids on with pg_resetwal --epoch' USING ERRCODE = 'CW004';
  END IF;
END $$;

-- One word of what is hashed: its length in bytes and itself, so that no two lists of words have the same bytes.
CREATE OR REPLACE FUNCTION ledger_word(p_text text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN p_text IS NULL THEN '-,' ELSE octet_length(p_text)::text || ':' || p_text || ',' END;
$$;

-- Microseconds since 1970 as text.
CREATE OR REPLACE FUNCTION ledger_moment(p_at timestamptz) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT (extract(epoch FROM p_at) * 1000000)::bigint::text;
$$;

-- Pairs are hashed level by level and an odd one goes up as it is: the tree of RFC 6962. The first byte says what is
-- hashed: 0 a transfer, 1 a pair, 2 a block.
CREATE OR REPLACE FUNCTION ledger_merkle_root(p_leaves bytea[]) RETURNS bytea
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  v_level bytea[] := p_leaves;
BEGIN
  WHILE cardinality(v_level) > 1 LOOP
    SELECT array_agg(CASE WHEN size = 2 THEN sha256('\x01'::bytea || nodes) ELSE nodes END ORDER BY pair) INTO v_level
      FROM (
        SELECT (place - 1) / 2 AS pair, count(*) AS size, string_agg(node, ''::bytea ORDER BY place) AS nodes
          FROM unnest(v_level) WITH ORDINALITY AS l (node, place) GROUP BY 1
      ) AS pairs;
  END LOOP;
  RETURN v_level[1];
END $$;

-- The next block: the transfers of whole transactions, at most p_most (more only when one transaction alone has more),
-- in the order of their ids. No row when there is nothing to seal, or somebody else is sealing; `is_more` when more could
-- be sealed at once.
--
-- None is ever skipped: a block takes every transfer with last horizon <= xid < its own horizon, and its horizon is no
-- higher than the oldest transaction still running, so nothing can appear below it any more. A transaction that began
-- early and commits late keeps the horizon at or below its own id until it has ended.
CREATE OR REPLACE FUNCTION ledger_seal_block(p_most int) RETURNS TABLE (block bigint, size int, is_more boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET enable_seqscan = off AS $$
DECLARE
  v_last ledger_seal;
  v_from xid8 := '0';
  v_to xid8;
  v_cut xid8;
  v_leaves bytea[];
  v_root text;
  v_at timestamptz := clock_timestamp();
BEGIN
  IF NOT pg_try_advisory_xact_lock(hashtextextended('ledger_seal_block', 0)) THEN
    RETURN;
  END IF;
  SELECT * INTO v_last FROM ledger_seal ORDER BY number DESC LIMIT 1;
  v_from := coalesce(v_last.horizon, v_from);
  v_to := pg_snapshot_xmin(pg_current_snapshot());
  IF v_to < v_from THEN
    RAISE EXCEPTION 'this server''s transaction ids are behind those of the books' USING ERRCODE = 'CW004';
  END IF;
  SELECT xid INTO v_cut FROM ledger_transfer WHERE xid >= v_from AND xid < v_to ORDER BY xid OFFSET p_most LIMIT 1;
  IF FOUND AND NOT EXISTS (SELECT 1 FROM ledger_transfer WHERE xid >= v_from AND xid < v_cut) THEN
    SELECT xid INTO v_cut FROM ledger_transfer WHERE xid > v_cut AND xid < v_to ORDER BY xid LIMIT 1;
  END IF;
  is_more := v_cut IS NOT NULL;
  v_to := coalesce(v_cut, v_to);

  block := coalesce(v_last.number, 0) + 1;
  WITH sealed AS (
    INSERT INTO ledger_sealedtransfer (transfer_id, seal_id, position, leaf)
    SELECT t.id, block, row_number() OVER (ORDER BY t.id), sha256('\x00'::bytea || convert_to(
             ledger_word(t.id::text) || ledger_word(t.scope) || ledger_word(t.key) || ledger_word(t.request_hash)
             || ledger_word(t.kind) || ledger_word(t.reference) || ledger_word(t.reverses_id::text)
             || ledger_word(t.approval_id::text) || ledger_word(ledger_moment(t.created_at)) || ledger_word(t.xid::text)
             || ledger_word(e.lines::text) || coalesce(e.words, ''), 'UTF8'))
      FROM ledger_transfer t
      CROSS JOIN LATERAL (
        SELECT count(*) AS lines, string_agg(
                 ledger_word(e.id::text) || ledger_word(e.account_id::text) || ledger_word(a.code)
                 || ledger_word(e.asset_id) || ledger_word(e.bucket) || ledger_word(trim_scale(e.amount)::text)
                 || ledger_word(e.seq::text) || ledger_word(trim_scale(e.balance_after)::text)
                 || ledger_word(e.xid::text), '' ORDER BY e.id) AS words
          FROM ledger_entry e
          LEFT JOIN LATERAL (SELECT code FROM ledger_account WHERE id = e.account_id LIMIT 1) a ON true
         WHERE e.transfer_id = t.id
      ) e
     WHERE t.xid >= v_from AND t.xid < v_to
    RETURNING position, leaf
  ) SELECT array_agg(leaf ORDER BY position) INTO v_leaves FROM sealed;
  size := cardinality(v_leaves);
  IF size IS NULL THEN
    RETURN;
  END IF;
  v_root := encode(ledger_merkle_root(v_leaves), 'hex');
  v_last.hash := coalesce(v_last.hash, repeat('0', 64));
  INSERT INTO ledger_seal (number, previous_hash, root, horizon, transfers, created_at, hash)
  VALUES (block, v_last.hash, v_root, v_to, size, v_at, encode(sha256('\x02'::bytea || convert_to(
            ledger_word(block::text) || ledger_word(v_last.hash) || ledger_word(v_root) || ledger_word(v_to::text)
            || ledger_word(size::text) || ledger_word(ledger_moment(v_at)), 'UTF8')), 'hex'));
  RETURN NEXT;
END $$;

-- The sum of a house account's entries of transactions p_from <= xid < p_to, or to this moment. Stable: it sees what the
-- statement that calls it sees. The planner knows nothing of how few are after a horizon, so it is told.
CREATE OR REPLACE FUNCTION ledger_house_sum(p_account bigint, p_from xid8, p_to xid8) RETURNS numeric
LANGUAGE sql STABLE SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off AS $$
  SELECT sum(amount) FROM ledger_entry
   WHERE account_id = p_account AND seq IS NULL AND xid >= p_from AND (p_to IS NULL OR xid < p_to);
$$;

-- The blocks up to this one are in the file of seals.
CREATE OR REPLACE FUNCTION ledger_note_exported(p_number bigint) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  UPDATE ledger_seal SET exported_at = clock_timestamp() WHERE number <= p_number AND exported_at IS NULL;
$$;
