"""A venue on loopback that speaks Binance Spot's protocol. Written apart from the client: it shares no code with it."""
