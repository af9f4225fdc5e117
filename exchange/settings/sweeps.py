"""Celery, and how often each sweep runs."""

from exchange.settings.house import (
    POLL_SECONDS,
    RECONCILE_SECONDS,
    SEAL_SECONDS,
    SNAPSHOT_SECONDS,
    SWEEP_SECONDS,
)
from exchange.settings.installation import DATA_DIR
from exchange.settings.servers import REDIS, REDIS_DATABASE, REDIS_PREFIX, REDIS_URL
from exchange.settings.venue import LISTEN_KEY_RENEW_SECONDS

CELERY_BROKER_URL = (
    f"redis+socket://{REDIS.path}?virtual_host={REDIS_DATABASE}" if REDIS.scheme == "unix" else REDIS_URL
)
CELERY_BROKER_TRANSPORT_OPTIONS = {"global_keyprefix": f"{REDIS_PREFIX}.celery."}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_TASK_IGNORE_RESULT = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TIMEZONE = "UTC"


def every(task: str, seconds: int) -> dict[str, object]:
    # A tick nobody took before the next one is worthless: it expires instead of piling up.
    return {"task": task, "schedule": seconds, "options": {"expires": max(seconds, 2)}}


CELERY_BEAT_SCHEDULE = {
    "send notices": every("exchange.office.tasks.send_notices", SWEEP_SECONDS),
    "resolve pending orders": every("orders.tasks.resolve_pending_orders", SWEEP_SECONDS),
    "follow lists": every("orders.tasks.follow_lists", SWEEP_SECONDS),
    "follow crosses": every("orders.tasks.follow_crosses", SWEEP_SECONDS),
    "follow routes": every("orders.tasks.follow_routes", SWEEP_SECONDS),
    "realise routes": every("orders.tasks.realise_routes", SWEEP_SECONDS),
    "reconcile open orders": every("orders.tasks.reconcile_open_orders", 3 * POLL_SECONDS),
    "fire countdowns": every("exchange.safety.tasks.fire_countdowns", 1),
    "finish panics": every("exchange.safety.tasks.finish_panics", SWEEP_SECONDS),
    "cover positions": every("exchange.conversions.tasks.cover_positions", SWEEP_SECONDS),
    "prune quotes": every("exchange.conversions.tasks.prune_quotes", 3600),
    "carry out approvals": every("ledger.tasks.carry_out_approvals", SWEEP_SECONDS),
    "carry out releases": every("exchange.gate.tasks.carry_out_releases", SWEEP_SECONDS),
    "watch conditions": every("exchange.gate.tasks.watch_conditions", SWEEP_SECONDS),
    "check due keys": every("exchange.gate.tasks.check_due_keys", POLL_SECONDS),
    "poll deposits": every("ledger.tasks.poll_deposits", POLL_SECONDS),
    # One call of the history costs a tenth of the account's weight of a minute, whatever it shows.
    "poll withdrawals": every("ledger.tasks.poll_withdrawals", max(2 * POLL_SECONDS, 10)),
    "revisit withdrawals": every("ledger.tasks.revisit_withdrawals", 60 * POLL_SECONDS),
    "expire withdrawals": every("ledger.tasks.expire_withdrawals", SWEEP_SECONDS),
    "note overdue withdrawals": every("ledger.tasks.note_overdue_withdrawals", 3 * POLL_SECONDS),
    "reconcile": every("ledger.tasks.reconcile", RECONCILE_SECONDS),
    "compare history": every("ledger.tasks.compare_history", RECONCILE_SECONDS),
    "compare trades": every("orders.tasks.compare_trades", RECONCILE_SECONDS),
    "count volumes": every("orders.tasks.count_volumes", 60 * POLL_SECONDS),
    "prune reconciliations": every("ledger.tasks.prune_reconciliations", 3600),
    "seal books": every("ledger.tasks.seal_books", SEAL_SECONDS),
    "export seals": every("ledger.tasks.export_seals", SEAL_SECONDS),
    "mail seal": every("ledger.tasks.mail_seal", 300),
    "snapshot house": every("ledger.tasks.snapshot_house", SNAPSHOT_SECONDS),
    "publish due proof": every("ledger.tasks.publish_due_proof", 30 * POLL_SECONDS),
    "synchronise first networks": every("ledger.tasks.synchronise_first_networks", SWEEP_SECONDS),
    "synchronise networks": every("ledger.tasks.synchronise_networks", 6 * POLL_SECONDS),
    "synchronise catalogue": every("markets.tasks.synchronise_catalogue", 30 * POLL_SECONDS),
    "keep hours": every("markets.tasks.keep_hours", POLL_SECONDS),
    # Ten looks for each renewal: one that was missed, or that failed, is made up for long before the key ends.
    "renew order counts": every("exchange.gate.tasks.renew_order_counts", 60),
    "renew listen keys": every(
        "exchange.gate.tasks.renew_listen_keys", max(LISTEN_KEY_RENEW_SECONDS // 10, 1)
    ),
    "beat": every("exchange.office.tasks.heartbeat", SWEEP_SECONDS),
}
CELERY_BEAT_SCHEDULE_FILENAME = str(DATA_DIR / "celerybeat-schedule")
