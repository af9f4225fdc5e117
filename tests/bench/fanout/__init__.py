"""`make bench-fanout`: one busy book to many open sockets of one web process, beside the textbook's group_send."""
