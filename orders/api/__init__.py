"""Orders, lists of them and trades by API."""
