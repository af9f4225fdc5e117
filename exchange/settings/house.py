"""Money rules of the house: fees, waits, evidence and limits. Basis points and seconds, unless a name says else."""

from pathlib import Path

from exchange.environment import asset, same_length
from exchange.settings.installation import DATA_DIR
from exchange.settings.reading import amount, amounts, names, number, text
from exchange.settings.venue import GATE_MAX_RELAYS

PLATFORM_FEE_BPS = number("PLATFORM_FEE_BPS", 10, low=0, high=1000)
# A customer's volume counts so many days for the lines of the fee schedule.
FEE_VOLUME_DAYS = 30
MARKET_PROTECTION_BPS = number("MARKET_PROTECTION_BPS", 500, low=1, high=5000)
BOOK_STALE_SECONDS = number("BOOK_STALE_SECONDS", 10, low=1, high=600)
# How far beyond the market a limit may be, and how far apart the book and the last trades, until an order is refused.
LIMIT_FAR_BPS = number("LIMIT_FAR_BPS", 1000, low=1, high=9000)
PRICES_UNSURE_BPS = number("PRICES_UNSURE_BPS", 1000, low=1, high=100_000)
# Staff hear of an asset that lasts shorter than so many hours in a venue account, unless they set a bar for it.
RUNWAY_HOURS = number("RUNWAY_HOURS", 4, low=1, high=1000)
# What the venue allows the house to have open in a market is shared: so much of it one customer may use.
OPEN_ORDERS_SHARE_PERCENT = number("OPEN_ORDERS_SHARE_PERCENT", 25, low=1, high=100)
# What one order may be worth in the reference asset: one figure a tier; tiers beyond the list have the last one.
ORDER_VALUE_LIMITS = amounts("ORDER_VALUE_LIMITS", "0,1000000")
ORDER_WAIT_MS = number("ORDER_WAIT_MS", 2000, low=0, high=10000)
# Threads that carry orders to the venue; 0: the request's own thread does, and waits as long as it takes.
RELAY_THREADS = number("RELAY_THREADS", GATE_MAX_RELAYS, low=0, high=64)
# So long a process believes what it read of markets and fees. 0: it asks each time.
FACTS_SECONDS = number("FACTS_SECONDS", 1, low=0, high=60)
ORDER_SEND_BY_MS = number("ORDER_SEND_BY_MS", 4000, low=100, high=60000)
ORDER_RESOLVE_MARGIN_MS = number("ORDER_RESOLVE_MARGIN_MS", 15000, low=100, high=600000)
# An order that the venue had and does not know any more is gone when it said so this often, each time so long after the
# time before, and nothing else there has it.
ORDER_LOST_ASKS = number("ORDER_LOST_ASKS", 6, low=2, high=100)
ORDER_LOST_INTERVAL_SECONDS = number("ORDER_LOST_INTERVAL_SECONDS", 600, low=1, high=86_400)
SWEEP_SECONDS = number("SWEEP_SECONDS", 2, low=1, high=60)
# A process keeps the rules of routes so long; a book older than this is no ground for a choice of ways; two trades over
# another asset must be better by so much; and what they have got so far is the customer's when the second cannot begin.
ROUTE_RULES_SECONDS = number("ROUTE_RULES_SECONDS", 5, low=1, high=300)
ROUTE_BOOK_AGE_MS = number("ROUTE_BOOK_AGE_MS", 2500, low=100, high=60_000)
ROUTE_TWO_LEGS_MIN_BPS = number("ROUTE_TWO_LEGS_MIN_BPS", 3, low=0, high=1000)
# With how many resting orders of other customers one order may trade, where staff allow it.
CROSS_MAKERS = number("CROSS_MAKERS", 3, low=1, high=20)
ROUTE_SECOND_LEG_SECONDS = number("ROUTE_SECOND_LEG_SECONDS", 60, low=1, high=3600)
# Listed at the first start, in this order, when the venue has more markets than a page can show.
FIRST_MARKETS = names("FIRST_MARKETS") or [
    "BTCUSDT", "ETHUSDT", "BNBUSDT", "SOLUSDT", "XRPUSDT", "DOGEUSDT", "ADAUSDT", "TRXUSDT", "LINKUSDT", "LTCUSDT",
    "AVAXUSDT", "DOTUSDT", "ETHBTC", "BNBBTC", "SOLBTC", "BTCUSDC", "ETHUSDC", "BTCEUR", "ETHEUR", "BTCFDUSD",
]  # fmt: skip
# A credited deposit that every reading of the history lacked for this long counts as taken back.
DEPOSIT_GONE_SECONDS = number("DEPOSIT_GONE_SECONDS", 600, low=0, high=604_800)
POLL_SECONDS = number("POLL_SECONDS", 10, low=1, high=600)
# The books are held against the venue so often; what two runs find, so far apart at least, is a difference. Above this
# worth in the asset of reference it stops new orders and withdrawals of its asset.
RECONCILE_SECONDS = number("RECONCILE_SECONDS", 300, low=5, high=86400)
RECONCILE_PATIENCE_SECONDS = number("RECONCILE_PATIENCE_SECONDS", 60, low=1, high=3600)
RECONCILE_STOP_WORTH = number("RECONCILE_STOP_WORTH", 100, low=0, high=10**12)
RECONCILE_KEEP_DAYS = number("RECONCILE_KEEP_DAYS", 30, low=1, high=3650)
REFERENCE_ASSET = asset("REFERENCE_ASSET", text("REFERENCE_ASSET", "USDT"))
# What customers are owed is proven anew after so many hours.
PROOF_HOURS = number("PROOF_HOURS", 24, low=1, high=720)

# ------------------------------------------------------------------ conversions
# A quote stands for so long; what the house keeps for bearing the move, unless staff say otherwise for a pair.
CONVERT_QUOTE_SECONDS = number("CONVERT_QUOTE_SECONDS", 8, low=1, high=120)
CONVERT_MARGIN_BPS = number("CONVERT_MARGIN_BPS", 20, low=0, high=1000)
# How far from the best price a quote may reach into a book, and an order that covers it.
CONVERT_SLIPPAGE_BPS = number("CONVERT_SLIPPAGE_BPS", 100, low=1, high=900)
# What of one asset the house may be uncovered by, in the asset of reference; and after how long staff hear of it.
CONVERT_UNCOVERED_LIMIT = amount("CONVERT_UNCOVERED_LIMIT", "50000")
CONVERT_ALARM_SECONDS = number("CONVERT_ALARM_SECONDS", 60, low=5, high=86_400)
# Assets over which two others may be converted.
CONVERT_BRIDGES = names("CONVERT_BRIDGES") or [REFERENCE_ASSET, "BTC"]

# ------------------------------------------------------------------ recordings of the market streams
# Where what the venue sends is recorded (nowhere unless it is named); a file is closed at that size or age, and so many
# are kept.
RECORD_DIR = text("RECORD_DIR")
RECORD_ROTATE_MB = number("RECORD_ROTATE_MB", 256, low=1, high=100_000)
RECORD_ROTATE_MINUTES = number("RECORD_ROTATE_MINUTES", 60, low=1, high=10_080)
RECORD_KEEP = number("RECORD_KEEP", 48, low=1, high=100_000)

# ------------------------------------------------------------------ evidence
# How often the books are sealed, and how many transfers a block has at most.
SEAL_SECONDS = number("SEAL_SECONDS", 5, low=1, high=3600)
SEAL_BLOCK = number("SEAL_BLOCK", 1000, low=1, high=100_000)
# A transfer that waits longer than this to be sealed is an alarm.
SEAL_LATE_SECONDS = number("SEAL_LATE_SECONDS", 600, low=10, high=86_400)
# Where each block leaves the house: a line of a file at once, and the latest one by mail every day.
SEAL_FILE = Path(text("SEAL_FILE") or DATA_DIR / "seals.txt")
SEAL_MAIL_TO = names("SEAL_MAIL_TO")
SNAPSHOT_SECONDS = number("SNAPSHOT_SECONDS", 60, low=1, high=86_400)

# ------------------------------------------------------------------ withdrawals (worth in the reference asset, minutes)
# One figure a tier, from "not verified" on; tiers beyond the list have the last one.
WITHDRAWAL_DAY_LIMITS = amounts("WITHDRAWAL_DAY_LIMITS", "0,20000")
WITHDRAWAL_MONTH_LIMITS = amounts("WITHDRAWAL_MONTH_LIMITS", "0,200000")
same_length(WITHDRAWAL_DAY_LIMITS=WITHDRAWAL_DAY_LIMITS, WITHDRAWAL_MONTH_LIMITS=WITHDRAWAL_MONTH_LIMITS)
# Up to the first in 24 hours nobody need look when nothing speaks against it; above the second two people must.
WITHDRAWAL_AUTO_LIMIT = amount("WITHDRAWAL_AUTO_LIMIT", "0")
WITHDRAWAL_TWO_PEOPLE_ABOVE = amount("WITHDRAWAL_TWO_PEOPLE_ABOVE", "10000")
WITHDRAWAL_MANY_A_DAY = number("WITHDRAWAL_MANY_A_DAY", 5, low=1, high=1000)
TRAVEL_RULE_FROM = amount("TRAVEL_RULE_FROM", "1000")
WITHDRAWAL_CONFIRM_MINUTES = number("WITHDRAWAL_CONFIRM_MINUTES", 30, low=1, high=1440)
WITHDRAWAL_HOLD_MINUTES = number("WITHDRAWAL_HOLD_MINUTES", 1440, low=0, high=20160)
ADDRESS_COOL_OFF_MINUTES = number("ADDRESS_COOL_OFF_MINUTES", 1440, low=0, high=20160)
BOOK_ONLY_OFF_MINUTES = number("BOOK_ONLY_OFF_MINUTES", 2880, low=0, high=20160)
# Who stays longer in a state than this is put before staff.
WITHDRAWAL_MOST_MINUTES = {
    state: number(f"WITHDRAWAL_{state}_MINUTES", most, low=1, high=100_000)
    for state, most in {
        "AWAITING": WITHDRAWAL_CONFIRM_MINUTES + 15,
        "REQUESTED": 1440,
        "APPROVED": 60,
        "SENDING": 15,
        "SENT": 360,
    }.items()
}
