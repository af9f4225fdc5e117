"""A client for anything that speaks Binance Spot's protocol. Knows no Django models."""
