-- Run by `prepare` as the owner after every migration: the application adds to what was heard of orders, and only counts
-- what it asked in vain.
REVOKE UPDATE, DELETE, TRUNCATE ON orders_orderevent FROM :app;
REVOKE DELETE, TRUNCATE ON orders_inquiry FROM :app;
