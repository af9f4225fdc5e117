"""The venue: its addresses, our keys there, and how long we wait for it."""

from exchange.environment import address, all_or_none, keys_secret, stop, venue_key
from exchange.settings.reading import choice, number, text

VENUES: dict[str, dict[str, str]] = {
    "paper": {"rest": "", "stream": "", "ws_api": "", "sapi": ""},
    "testnet": {
        "rest": "https://testnet.binance.vision",
        "stream": "wss://stream.testnet.binance.vision",
        "ws_api": "wss://ws-api.testnet.binance.vision/ws-api/v3",
        "sapi": "",
    },
    "demo": {
        "rest": "https://demo-api.binance.com",
        "stream": "wss://demo-stream.binance.com",
        "ws_api": "wss://demo-ws-api.binance.com/ws-api/v3",
        "sapi": "",
    },
    "live": {
        "rest": "https://api.binance.com",
        "stream": "wss://stream.binance.com:9443",
        "ws_api": "wss://ws-api.binance.com:443/ws-api/v3",
        "sapi": "https://api.binance.com",
    },
}
VENUE = choice("VENUE", "paper", tuple(VENUES))
VENUE_ADDRESSES = {
    name: address(name, text(name, VENUES[VENUE][part]), *schemes)
    for name, part, schemes in (
        ("BINANCE_REST_URL", "rest", ("https", "http")),
        ("BINANCE_STREAM_URL", "stream", ("wss", "ws")),
        ("BINANCE_WS_API_URL", "ws_api", ("wss", "ws")),
        # The wallet's; testnet and demo have none, and deposits and withdrawals are shown as not available.
        ("BINANCE_SAPI_URL", "sapi", ("https", "http")),
    )
}
if VENUE == "paper":
    all_or_none(VENUE_ADDRESSES)
BINANCE_REST_URL = VENUE_ADDRESSES["BINANCE_REST_URL"]
BINANCE_STREAM_URL = VENUE_ADDRESSES["BINANCE_STREAM_URL"]
BINANCE_WS_API_URL = VENUE_ADDRESSES["BINANCE_WS_API_URL"]
BINANCE_SAPI_URL = VENUE_ADDRESSES["BINANCE_SAPI_URL"]
BINANCE_API_KEY = text("BINANCE_API_KEY")
BINANCE_API_SECRET = text("BINANCE_API_SECRET")
BINANCE_PRIVATE_KEY_FILE = text("BINANCE_PRIVATE_KEY_FILE")
BINANCE_WITHDRAW_API_KEY = text("BINANCE_WITHDRAW_API_KEY")
BINANCE_WITHDRAW_API_SECRET = text("BINANCE_WITHDRAW_API_SECRET")
BINANCE_WITHDRAW_PRIVATE_KEY_FILE = text("BINANCE_WITHDRAW_PRIVATE_KEY_FILE")
# What keys of venue accounts are sealed under in the database; the newest first, and older ones still open what they
# sealed.
VENUE_KEYS_SECRET = text("VENUE_KEYS_SECRET")
VENUE_KEYS_SECRET_FILE = text("VENUE_KEYS_SECRET_FILE")
# How reports of our orders come: by a subscription on the WebSocket API, or by a listen key where there still are any.
BINANCE_USER_STREAM = choice("BINANCE_USER_STREAM", "ws_api", ("ws_api", "listen_key"))
# A listen key is renewed when it is as old as this; the venue ends one after an hour.
LISTEN_KEY_RENEW_SECONDS = number("LISTEN_KEY_RENEW_SECONDS", 1800, low=1, high=3300)
# What the venue answered of an order is told on the user data stream too: missing for so long, the stream is deaf.
STREAM_MISSING_SECONDS = number("STREAM_MISSING_SECONDS", 20, low=1, high=600)
# Which process this is; only `payouts` may hold the withdrawal key.
PROCESS = text("CAUSEWAY_PROCESS", "")

if PROCESS != "payouts" and (
    BINANCE_WITHDRAW_API_KEY or BINANCE_WITHDRAW_API_SECRET or BINANCE_WITHDRAW_PRIVATE_KEY_FILE
):
    stop("BINANCE_WITHDRAW_API_KEY is in this process's environment; only the payouts process may hold it.")
venue_key("BINANCE", key=BINANCE_API_KEY, secret=BINANCE_API_SECRET, file=BINANCE_PRIVATE_KEY_FILE)
venue_key(
    "BINANCE_WITHDRAW",
    key=BINANCE_WITHDRAW_API_KEY,
    secret=BINANCE_WITHDRAW_API_SECRET,
    file=BINANCE_WITHDRAW_PRIVATE_KEY_FILE,
)
keys_secret("VENUE_KEYS_SECRET", VENUE_KEYS_SECRET, VENUE_KEYS_SECRET_FILE)

# Markets of the simulated venue that are only looked at: a crowd as busy as the real one's.
PAPER_CROWD = number("PAPER_CROWD", 0, low=0, high=999)
RECV_WINDOW_MS = number("BINANCE_RECV_WINDOW_MS", 5000, low=100, high=60000)
GATE_MAX_RELAYS = number("GATE_MAX_RELAYS", 6, low=1, high=64)
# Of these threads of a web process two never wait for the venue.
WEB_THREADS = number("WEB_THREADS", 8, low=3, high=64)
# So many of one person's wishes a web process carries out at once; the next ones wait in line.
POSTS_AT_ONCE = number("POSTS_AT_ONCE", 2, low=1, high=64)
VENUE_TIMEOUT_SECONDS = number("VENUE_TIMEOUT_SECONDS", 12, low=1, high=60)
# How much of the minute's weight may be used when such a call comes, in percent: what is left is for those that matter
# more. Cancels and questions about orders may use the most.
GATE_MOST_PERCENT = number("GATE_MOST_PERCENT", 98, low=1, high=100)
GATE_PLACE_PERCENT = number("GATE_PLACE_PERCENT", 90, low=1, high=100)
GATE_MARKET_DATA_PERCENT = number("GATE_MARKET_DATA_PERCENT", 60, low=1, high=100)
GATE_HISTORY_PERCENT = number("GATE_HISTORY_PERCENT", 50, low=1, high=100)
# Of an account's limits of new orders.
GATE_ORDERS_PERCENT = number("GATE_ORDERS_PERCENT", 95, low=1, high=100)
# What counts as used of each limit when Redis has forgotten, and what each process may use alone while it is away.
GATE_CAUTIOUS_PERCENT = number("GATE_CAUTIOUS_PERCENT", 40, low=0, high=100)
GATE_ALONE_PERCENT = number("GATE_ALONE_PERCENT", 10, low=1, high=100)
# A new order waits so long for its turn; then it is refused, and nothing is held.
GATE_WAIT_MS = number("GATE_WAIT_MS", 1000, low=0, high=10_000)
# A breaker opens when so many of the last calls failed, and so many of a hundred; calls of longer ago do not count, and
# an answer that took so long is a failure. It is open for so long at first, and twice as long after each probe that
# failed.
BREAKER_CALLS = number("BREAKER_CALLS", 20, low=1, high=10_000)
BREAKER_WINDOW_SECONDS = number("BREAKER_WINDOW_SECONDS", 20, low=1, high=600)
BREAKER_FAILURES = number("BREAKER_FAILURES", 5, low=1, high=10_000)
BREAKER_FAILURE_PERCENT = number("BREAKER_FAILURE_PERCENT", 50, low=1, high=100)
BREAKER_SLOW_MS = number("BREAKER_SLOW_MS", 5000, low=100, high=60_000)
BREAKER_OPEN_SECONDS = number("BREAKER_OPEN_SECONDS", 2, low=1, high=600)
BREAKER_LONGEST_SECONDS = number("BREAKER_LONGEST_SECONDS", 10, low=1, high=3600)
# New orders wait while nothing was heard on the user data stream for so long, and while our clock is so far from the
# venue's.
BREAKER_STREAM_SECONDS = number("BREAKER_STREAM_SECONDS", 90, low=50, high=3600)
BREAKER_CLOCK_MS = number("BREAKER_CLOCK_MS", 30_000, low=1000, high=600_000)
# Tests of one transaction each cannot leave it; nothing else may talk to the venue inside one.
GATE_INSIDE_TRANSACTIONS = False

if VENUE == "paper" and not BINANCE_REST_URL:
    # The addresses of the paper venue are made by `make run`; commands that need no venue still work.
    BINANCE_REST_URL, BINANCE_STREAM_URL = "http://127.0.0.1:9", "ws://127.0.0.1:9"
    BINANCE_WS_API_URL, BINANCE_SAPI_URL = "ws://127.0.0.1:9/ws-api/v3", "http://127.0.0.1:9"
