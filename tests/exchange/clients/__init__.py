"""Clients of other people, unmodified, at the paper venue: only addresses, keys and options are set."""
