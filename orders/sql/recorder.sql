-- What is on record of an order stays as it was written, whoever writes.
CREATE TRIGGER orders_orderevent_append_only BEFORE UPDATE OR DELETE ON orders_orderevent
  FOR EACH ROW EXECUTE FUNCTION ledger_append_only();
CREATE TRIGGER orders_orderevent_no_truncate BEFORE TRUNCATE ON orders_orderevent
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_append_only();
