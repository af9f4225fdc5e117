-- The laws of withdrawals. They hold whoever writes.

ALTER TABLE ledger_withdrawalapproval
  ADD CONSTRAINT approval_names_the_customer FOREIGN KEY (withdrawal_id, customer_id)
    REFERENCES ledger_withdrawal (id, user_id);

-- Asked whether an address is one of ours, however it is written.
CREATE INDEX deposit_address_in_any_case ON ledger_depositaddress (upper(address));

-- Which steps there are says steps.sql.
CREATE FUNCTION ledger_withdrawal_step() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (NEW.user_id, NEW.nonce, NEW.request_hash, NEW.client_id, NEW.asset_id, NEW.network_id, NEW.address, NEW.tag,
      NEW.amount, NEW.fee, NEW.value, NEW.beneficiary, NEW.requested_at)
     IS DISTINCT FROM
     (OLD.user_id, OLD.nonce, OLD.request_hash, OLD.client_id, OLD.asset_id, OLD.network_id, OLD.address, OLD.tag,
      OLD.amount, OLD.fee, OLD.value, OLD.beneficiary, OLD.requested_at) THEN
    RAISE EXCEPTION 'what was asked for does not change' USING ERRCODE = 'check_violation';
  END IF;
  IF OLD.seal <> '' AND (NEW.seal, NEW.confirmed_at, NEW.needs) IS DISTINCT FROM
                        (OLD.seal, OLD.confirmed_at, OLD.needs) THEN
    RAISE EXCEPTION 'what was confirmed does not change' USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.status <> OLD.status THEN
    IF NOT ledger_withdrawal_may_go(OLD.status, NEW.status) THEN
      RAISE EXCEPTION 'a withdrawal does not go from % to %', OLD.status, NEW.status USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.status IN ('APPROVED', 'SENDING')
       AND (SELECT count(*) FROM ledger_withdrawalapproval a WHERE a.withdrawal_id = NEW.id) < NEW.needs THEN
      RAISE EXCEPTION 'too few people have approved this' USING ERRCODE = 'check_violation';
    END IF;
    NEW.moved_at := clock_timestamp();
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER ledger_withdrawal_steps BEFORE UPDATE ON ledger_withdrawal
  FOR EACH ROW EXECUTE FUNCTION ledger_withdrawal_step();
CREATE TRIGGER ledger_withdrawal_is_kept BEFORE DELETE ON ledger_withdrawal
  FOR EACH ROW EXECUTE FUNCTION ledger_append_only();
