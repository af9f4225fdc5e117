"""The wallet by API."""
