"""Somebody holds the application's database password and knows our SQL: what they try, and that it is refused."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from accounts.models import User
from exchange.database import sqlstate_of
from exchange.office import services as office
from ledger import queries as books
from ledger import services as ledger
from ledger.models import Transfer
from markets.models import Asset
from tests.factories import balance, fund, make_user

ORDER = ledger.Cause.ORDER
DENIED, BAD_LINES, CHECK, NULL, UNKNOWN = "42501", "CW002", "23514", "23502", "23503"
NOT_APPROVED, TWICE, NOT_A_NUMBER, TOO_LONG = "CW003", "23505", "22P02", "22001"


@pytest.fixture
def alice(db: None) -> User:
    """With 90 USDT available, 10 held for order 1, and a bitcoin."""
    return owner_of_a_hold("alice", cause_id=1)


@pytest.fixture
def bob(db: None) -> User:
    """With 90 USDT available and 10 held for order 2."""
    return owner_of_a_hold("bob", cause_id=2)


def owner_of_a_hold(name: str, cause_id: int) -> User:
    user = make_user(name)
    fund(user, "USDT", "100")
    fund(user, "BTC", "1")
    ledger.hold(user_id=user.pk, asset="USDT", amount=Decimal(10), cause=ORDER, cause_id=cause_id)
    return user


def refusal_of(sql: str, values: Sequence[Any] = ()) -> str:
    """The SQLSTATE with which the statement, or its COMMIT, is refused; empty when it is not."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql, values or None)
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    except DatabaseError as error:
        return sqlstate_of(error)
    return ""


# ------------------------------------------------------------------ what the role may not even try
FORBIDDEN = [
    "UPDATE ledger_entry SET amount = amount",
    "UPDATE ledger_entry SET account_id = 1",
    "UPDATE ledger_transfer SET key = 'other'",
    "UPDATE ledger_account SET owner_id = 1",
    "UPDATE ledger_balance SET version = 0",
    "UPDATE ledger_hold SET is_open = true, closed_at = NULL",
    "DELETE FROM ledger_entry WHERE false",
    "DELETE FROM ledger_transfer WHERE false",
    "DELETE FROM ledger_account WHERE false",
    "DELETE FROM office_approval WHERE false",
    "DELETE FROM ledger_deposit WHERE false",
    "DELETE FROM ledger_depositclaim WHERE false",
    "DELETE FROM ledger_depositaddress WHERE false",
    "DELETE FROM ledger_subaccount WHERE false",
    "DELETE FROM ledger_historycheck WHERE false",
    "TRUNCATE ledger_deposit CASCADE",
    "TRUNCATE ledger_historycheck",
    "TRUNCATE ledger_transfer CASCADE",
    "TRUNCATE ledger_account CASCADE",
    "TRUNCATE ledger_balance",
    "TRUNCATE ledger_hold",
    "TRUNCATE office_auditrecord",
    "INSERT INTO ledger_entry (transfer_id, account_id, asset_id, bucket, amount) VALUES (1, 1, 'USDT', 'S', 1)",
    "INSERT INTO ledger_account (code, type, asset_id) VALUES ('EQUITY::BTC', 'EQUITY', 'BTC')",
    "INSERT INTO ledger_balance SELECT account_id, 1, 0, 0 FROM ledger_balance",
    "INSERT INTO ledger_hold (account_id, cause, cause_id, amount, remaining, is_open, created_at)"
    " SELECT account_id, 'ORDER', 99, 5, 5, true, now() FROM ledger_balance LIMIT 1",
    "MERGE INTO ledger_balance b USING ledger_account a ON a.id = b.account_id"
    " WHEN MATCHED THEN UPDATE SET available = 1000000",
    "COPY ledger_entry FROM STDIN",
    "SELECT * FROM ledger_balance FOR UPDATE",
    "LOCK TABLE ledger_entry IN ACCESS EXCLUSIVE MODE",
    "SELECT setval('ledger_transfer_id_seq', 1)",
    "SELECT setval('ledger_entry_id_seq', 1)",
    "ALTER SEQUENCE ledger_transfer_id_seq RESTART",
    "ALTER TABLE ledger_entry DISABLE TRIGGER ledger_entry_append_only",
    "ALTER TABLE ledger_balance DROP CONSTRAINT balance_available_not_negative",
    "ALTER TABLE ledger_hold OWNER TO CURRENT_USER",
    "DROP TABLE ledger_entry",
    "DROP TRIGGER ledger_transfer_append_only ON ledger_transfer",
    "DROP FUNCTION ledger_entry_check() CASCADE",
    "ALTER FUNCTION ledger_entry_check() SECURITY INVOKER",
    "ALTER FUNCTION ledger_lock_hold(text, bigint) SET search_path = pg_temp",
    "CREATE OR REPLACE FUNCTION public.ledger_append_only() RETURNS trigger LANGUAGE plpgsql"
    " AS 'BEGIN RETURN NEW; END'",
    "CREATE TRIGGER mine BEFORE INSERT ON ledger_entry FOR EACH ROW EXECUTE FUNCTION ledger_append_only()",
    "CREATE RULE mine AS ON INSERT TO ledger_entry DO INSTEAD NOTHING",
    "CREATE POLICY mine ON ledger_entry",
    "CREATE INDEX mine ON ledger_entry ((1 / 0))",
    "CREATE TABLE public.mine (id int)",
    "CREATE FUNCTION public.round(numeric, int) RETURNS numeric LANGUAGE sql AS 'SELECT $1'",
    "CREATE OPERATOR public.= (LEFTARG = text, RIGHTARG = text, FUNCTION = textne)",
    "CREATE SCHEMA mine",
    "SET session_replication_role = replica",
    "SET LOCAL session_replication_role = replica",
    "SELECT set_config('session_replication_role', 'replica', true)",
    "SELECT ledger_open_account('USER:1:USDT')",
    "SELECT ledger_resolve('{FEES::USDT}', '{S}', '{1}')",
    "SELECT ledger_spill('{}', '{}', '{}', 'ORDER', 1, 'USER:1:USDT', 1)",
    "SELECT ledger_check_approval('ADJUSTMENT', '{}', '{}', '{}', 1, NULL)",
    "SELECT ledger_check_holds('{}', '{}')",
    "SELECT ledger_require_account(1, '')",
    "SELECT ledger_shortage(1, '{}', '{}')",
    "COPY (SELECT 1) TO PROGRAM 'true'",
]  # fmt: skip


def test_the_role_has_no_right_to_any_of_it(alice: User) -> None:
    assert {sql: refusal for sql in FORBIDDEN if (refusal := refusal_of(sql)) != DENIED} == {}
    assert balance(alice, "USDT") == (90, 10)


def test_the_role_cannot_become_the_owner(alice: User, owner: Any) -> None:
    name = owner.execute("SELECT current_user").fetchone()[0]
    assert refusal_of(f'SET ROLE "{name}"') == DENIED
    assert refusal_of(f'SET SESSION AUTHORIZATION "{name}"') == DENIED


# ------------------------------------------------------------------ what it may call, with what it should not
POST = (
    "SELECT * FROM ledger_post('attack', %s, 'h', %s, '', %s::text[], %s::text[], %s::numeric[],"
    " %s::text[], %s::text[], %s::bigint[], %s::text[], %s::numeric[], %s, %s, %s)"
)
Texts = Sequence[Any] | str
Op = tuple[str, int, str, str | None]


def try_post(
    accounts: Texts,
    buckets: Texts,
    amounts: Texts,
    *ops: Op,
    key: str = "k",
    kind: str | None = "FILL",
    spills: bool = False,
    approval: int | None = None,
    reverses: int | None = None,
) -> str:
    """The refusal of a posting whose columns are given as lists or as PostgreSQL's own text of an array.

    Ops are (create, consume or release; order; account; amount).
    """
    columns = [column if isinstance(column, str) else list(column) for column in (accounts, buckets, amounts)]
    changes: list[list[Any]] = [
        [op[0] for op in ops], ["ORDER"] * len(ops), [op[1] for op in ops], [op[2] for op in ops],
        [op[3] for op in ops],
    ]  # fmt: skip
    return refusal_of(POST, [key, kind, *columns, *changes, approval, reverses, spills])


FEES, VENUE_LESS = "FEES::USDT", "VENUE::USDT"
Case = tuple[Texts, Texts, Texts, tuple[Op, ...], bool, str]
A, B = "{alice}", "{bob}"
CASES: dict[str, Case] = {
    # lines
    "unbalanced": ([A, FEES], "{A,S}", "{5,-4}", (), False, CHECK),
    "unbalanced in one asset of two": (
        [A, FEES, "{alice btc}", "FEES::BTC"], "{A,S,A,S}", "{5,-5,1,-0.9}", (), False, CHECK,
    ),
    "NaN": ([A, FEES], "{A,S}", "{NaN,NaN}", (), False, BAD_LINES),
    "infinite": ([A, FEES], "{A,S}", "{Infinity,-Infinity}", (), False, BAD_LINES),
    "no amount": ([A, FEES], "{A,S}", "{NULL,5}", (), False, BAD_LINES),
    "no bucket": ([A, FEES], "{NULL,S}", "{-5,5}", (), False, BAD_LINES),
    "too fine": ([A, FEES], "{A,S}", "{0.000000001,-0.000000001}", (), False, BAD_LINES),
    "too fine in parts": ([A, A, FEES], "{A,A,S}", "{0.000000005,0.000000005,-0.00000001}", (), False, BAD_LINES),
    "too much": ([A, FEES], "{A,S}", "{1e16,-1e16}", (), False, BAD_LINES),
    "more than a column holds": ([A, FEES], "{A,S}", "{1e40,-1e40}", (), False, BAD_LINES),
    "negative": ([A, FEES], "{A,S}", "{-91,91}", (), False, CHECK),
    "negative and back": ([A, B, FEES], "{A,A,S}", "{-91,90,1}", (), False, CHECK),
    "held without a hold": ([A, A], "{A,H}", "{-5,5}", (), False, BAD_LINES),
    "somebody's hold for a fee": ([A, FEES], "{H,S}", "{-5,5}", (), False, BAD_LINES),
    "customer's bucket on the house": ([A, FEES], "{A,A}", "{-5,5}", (), False, BAD_LINES),
    "held bucket on the house": ([A, FEES], "{A,H}", "{-5,5}", (), False, BAD_LINES),
    "house's bucket on a customer": ([A, FEES], "{S,S}", "{-5,5}", (), False, BAD_LINES),
    "no lines": ([], [], [], (), False, BAD_LINES),
    "one line": ([A], "{A}", "{0}", (), False, BAD_LINES),
    # accounts
    "asset nobody lists": (["USER:{alice id}:XYZ", "FEES::XYZ"], "{A,S}", "{5,-5}", (), False, BAD_LINES),
    "customer nobody knows": (["USER:999999:USDT", FEES], "{A,S}", "{5,-5}", (), False, UNKNOWN),
    "customer without a number": (["USER::USDT", FEES], "{A,S}", "{5,-5}", (), False, CHECK),
    "number that is none": (["USER:x:USDT", FEES], "{A,S}", "{5,-5}", (), False, NOT_A_NUMBER),
    "number with a zero before": (["USER:0{alice id}:USDT", FEES], "{A,S}", "{5,-5}", (), False, CHECK),
    "number with a sign": (["USER:+{alice id}:USDT", FEES], "{A,S}", "{5,-5}", (), False, CHECK),
    "number with a space": (["USER: {alice id}:USDT", FEES], "{A,S}", "{5,-5}", (), False, CHECK),
    "name with a tail": (["USER:{alice id}:USDT:x", FEES], "{A,S}", "{5,-5}", (), False, CHECK),
    "asset with a colon": (["USER:{alice id}:CO:LON", "FEES::CO:LON"], "{A,S}", "{5,-5}", (), False, CHECK),
    "house account with an owner": ([A, "FEES:{alice id}:USDT"], "{A,S}", "{-5,5}", (), False, CHECK),
    "venue without an account": ([A, VENUE_LESS], "{A,S}", "{-5,5}", (), False, CHECK),
    "unknown type": ([A, "PROFIT::USDT"], "{A,S}", "{-5,5}", (), False, CHECK),
    "type in small letters": ([A, "fees::USDT"], "{A,S}", "{-5,5}", (), False, CHECK),
    "empty name": ([A, ""], "{A,S}", "{-5,5}", (), False, CHECK),
    "no name": ("{NULL,FEES::USDT}", "{A,S}", "{-5,5}", (), False, NULL),
    "endless name": ([A, "FEES::" + "X" * 80], "{A,S}", "{-5,5}", (), False, TOO_LONG),
    # shapes
    "a bucket missing": ([A, FEES], "{A}", "{-5,5}", (), False, BAD_LINES),
    "an account missing": ([A], "{A,S}", "{-5,5}", (), False, BAD_LINES),
    "an amount missing": ([A, FEES], "{A,S}", "{-5}", (), False, BAD_LINES),
    "buckets counted from zero": ([A, A, FEES], "[0:2]={A,A,S}", "{-1,-2,3}", (), False, BAD_LINES),
    "amounts counted from zero": ([A, A, FEES], "{A,A,S}", "[0:2]={-1,-2,3}", (), False, BAD_LINES),
    "tables for columns": ("{{{alice},FEES::USDT}}", "{{A,S}}", "{{-5,5}}", (), False, BAD_LINES),
    # holds
    "hold of nothing": ([A, FEES], "{A,S}", "{-5,5}", (("create", 9, A, "0"),), False, CHECK),
    "hold of less than nothing": ([A, A], "{A,H}", "{5,-5}", (("create", 9, A, "-5"),), False, CHECK),
    "hold of NaN": ([A, A], "{A,H}", "{-5,5}", (("create", 9, A, "NaN"),), False, CHECK),
    "hold of no amount": ([A, A], "{A,H}", "{-5,5}", (("create", 9, A, None),), False, NULL),
    "hold of more than its line": ([A, A], "{A,H}", "{-5,5}", (("create", 9, A, "6"),), False, BAD_LINES),
    "hold on another than its line": ([A, A, B], "{A,H,A}", "{-5,5,0}", (("create", 9, B, "5"),), False, BAD_LINES),
    "hold of the house": ([FEES, A], "{S,A}", "{5,-5}", (("create", 9, FEES, "5"),), False, BAD_LINES),
    "two holds of one cause": ([A, A], "{A,H}", "{-5,5}", (("create", 1, A, "5"),), False, TWICE),
    "holds with parts of a unit": (
        [A, A], "{A,H}", "{-0.00000001,0.00000001}",
        (("create", 8, A, "0.000000005"), ("create", 9, A, "0.000000005")), False, BAD_LINES,
    ),
    "paying less than nothing": ([A, A], "{H,A}", "{5,-5}", (("consume", 1, A, "-5"),), False, BAD_LINES),
    "paying less than nothing, spilling": ([A, A], "{H,A}", "{5,-5}", (("consume", 1, A, "-5"),), True, BAD_LINES),
    "paying NaN, spilling": ([A, FEES], "{H,S}", "{-5,5}", (("consume", 1, A, "NaN"),), True, BAD_LINES),
    "paying no amount, spilling": ([A, FEES], "{H,S}", "{-5,5}", (("consume", 1, A, None),), True, BAD_LINES),
    "paying more than is held": ([A, FEES], "{H,S}", "{-11,11}", (("consume", 1, A, "11"),), False, CHECK),
    "paying by another's hold": ([A, FEES], "{H,S}", "{-5,5}", (("consume", 2, A, "5"),), False, BAD_LINES),
    "paying by another's hold, spilling": ([A, FEES], "{H,S}", "{-20,20}", (("consume", 2, A, "20"),), True, BAD_LINES),
    "another paying by one's hold": ([B, FEES], "{H,S}", "{-5,5}", (("consume", 1, A, "5"),), False, BAD_LINES),
    "paying in another asset": (
        ["{alice btc}", "FEES::BTC"], "{H,S}", "{-1,1}", (("consume", 1, "{alice btc}", "1"),), True, BAD_LINES,
    ),
    "paying by no hold": ([A, FEES], "{H,S}", "{-5,5}", (("consume", 77, A, "5"),), False, BAD_LINES),
    "paying with another amount": ([A, FEES], "{H,S}", "{-5,5}", (("consume", 1, A, "6"),), False, BAD_LINES),
    "releasing no hold": ([], [], [], (("release", 77, A, None),), False, BAD_LINES),
    "releasing another's hold": ([], [], [], (("release", 2, A, None),), False, BAD_LINES),
    "releasing into another asset": ([], [], [], (("release", 1, "{alice btc}", None),), False, BAD_LINES),
    "releasing twice": ([], [], [], (("release", 1, A, None), ("release", 1, A, None)), False, BAD_LINES),
    "releasing by lines": ([A, A], "{H,A}", "{-10,10}", (), False, BAD_LINES),
    "releasing and keeping": ([A, A], "{H,A}", "{-5,5}", (("release", 1, A, None),), False, BAD_LINES),
    "an unknown change": ([A, A], "{A,H}", "{-5,5}", (("grow", 1, A, "5"),), False, BAD_LINES),
}  # fmt: skip


def test_a_posting_that_breaks_a_law_is_refused_and_leaves_nothing(alice: User, bob: User) -> None:
    Asset.objects.create(code="CO:LON")
    before = Transfer.objects.count()
    codes = {"alice": f"USER:{alice.pk}:USDT", "bob": f"USER:{bob.pk}:USDT"}
    codes |= {"alice btc": f"USER:{alice.pk}:BTC", "alice id": str(alice.pk)}
    for name, case in CASES.items():
        assert attempted(codes, *case[:5]) == case[5], name
        assert balance(alice, "USDT") == balance(bob, "USDT") == (90, 10), name
    assert Transfer.objects.count() == before
    assert books.first_broken_row() == ""


def attempted(
    codes: dict[str, str], accounts: Texts, buckets: Texts, amounts: Texts, ops: tuple[Op, ...], spills: bool
) -> str:
    named = named_by(codes, accounts) if isinstance(accounts, str) else [named_by(codes, a) for a in accounts]
    changes = [(op, cause, named_by(codes, account), amount) for op, cause, account, amount in ops]
    return try_post(named, buckets, amounts, *changes, spills=spills)


def named_by(codes: dict[str, str], text: str) -> str:
    for name, code in codes.items():
        text = text.replace(f"{{{name}}}", code)
    return text


@pytest.mark.parametrize(
    ("column", "value", "state"),
    [
        ("kind", None, NULL), ("kind", "GIFT", CHECK), ("kind", "deposit", CHECK), ("key", None, NULL),
        ("key", "k" * 121, TOO_LONG),
    ],
)  # fmt: skip
def test_a_transfer_has_a_known_kind_and_a_key(alice: User, column: str, value: Any, state: str) -> None:
    account = f"USER:{alice.pk}:USDT"
    assert try_post([account, FEES], "{A,S}", "{-5,5}", **{column: value}) == state


def test_a_transfer_says_what_was_asked(alice: User) -> None:
    columns = [[f"USER:{alice.pk}:USDT", FEES], "{A,S}", "{-5,5}", *["{}"] * 5]
    assert refusal_of(POST.replace("'h'", "NULL"), ["k", "FILL", *columns, None, None, False]) == NULL


# ------------------------------------------------------------------ names that shadow ours
SHADOWS = [
    "CREATE TEMP TABLE ledger_account (id bigint, code text, type text, asset_id text, owner_id bigint,"
    " venue_account_id bigint)",
    "CREATE TEMP TABLE ledger_balance (account_id bigint, available numeric, held numeric, version bigint)",
    "CREATE TEMP TABLE markets_asset (code text, scale int, max_amount numeric)",
    "CREATE TEMP TABLE office_approval (id bigint, status text)",
    "CREATE FUNCTION pg_temp.ledger_is_bookable(text, text, numeric, int, numeric) RETURNS boolean LANGUAGE sql"
    " AS 'SELECT true'",
    "CREATE FUNCTION pg_temp.round(numeric, int) RETURNS numeric LANGUAGE sql AS 'SELECT $1'",
    "CREATE FUNCTION pg_temp.ledger_open_account(text) RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint'",
    "CREATE FUNCTION pg_temp.differ(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT true'",
    "CREATE OPERATOR pg_temp.= (LEFTARG = text, RIGHTARG = text, FUNCTION = pg_temp.differ)",
    "SET LOCAL search_path = pg_temp, public",
]


def test_shadows_of_our_tables_and_functions_deceive_nobody(alice: User) -> None:
    account = f"USER:{alice.pk}:USDT"
    with transaction.atomic():
        with connection.cursor() as cursor:
            for sql in SHADOWS:
                cursor.execute(sql)
        assert try_post([account, FEES], "{A,S}", "{0.000000001,-0.000000001}") == BAD_LINES
        assert try_post([account, FEES], "{A,S}", "{5,-4}") == CHECK
        assert try_post([account, FEES], "{A,S}", "{-91,91}") == CHECK
        assert try_post([account, FEES], "{A,S}", "{5,-5}", kind="ADJUSTMENT", approval=1) == NOT_APPROVED
        assert try_post([account, FEES], "{A,S}", "{-5,5}") == ""
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL search_path = public, pg_temp")
        assert balance(alice, "USDT") == (85, 10)


# ------------------------------------------------------------------ approvals
@pytest.fixture
def granted(alice: User) -> int:
    """An approval of five USDT from equity for alice."""
    carol, dave = make_user("carol", is_staff=True), make_user("dave", is_staff=True)
    account = f"USER:{alice.pk}:USDT"
    with connection.cursor() as cursor:
        columns = [f"{{{account},EQUITY::USDT}}", "{A,S}", "{5,-5}"]
        cursor.execute("SELECT ledger_lines_hash(%s::text[], %s::text[], %s::numeric[])", columns)
        digest = cursor.fetchone()[0]
    asked = office.ask_approval("adjustment", {}, "goodwill", carol, payload_hash=digest)
    return office.grant(asked.pk, by=dave).pk


def correct(alice: User, amount: str = "5", **options: Any) -> str:
    columns = [f"USER:{alice.pk}:USDT", "EQUITY::USDT"], "{A,S}", f"{{{amount},-{amount}}}"
    return try_post(*columns, **{"kind": "ADJUSTMENT", **options})


def test_an_approval_serves_once_even_when_it_is_made_new(alice: User, granted: int) -> None:
    assert correct(alice, approval=granted, key="1") == ""
    assert correct(alice, approval=granted, key="2") == TWICE
    with connection.cursor() as cursor:
        cursor.execute("UPDATE office_approval SET status = 'GRANTED'")
    assert correct(alice, approval=granted, key="3") == TWICE
    assert balance(alice, "USDT") == (95, 10)


def test_an_approval_serves_nothing_else(alice: User, bob: User, granted: int) -> None:
    assert correct(alice, "50", approval=granted) == NOT_APPROVED
    assert correct(bob, approval=granted) == NOT_APPROVED
    assert correct(alice, approval=granted, kind="DEPOSIT") == BAD_LINES
    assert correct(alice, approval=granted, kind="REVERSAL") == BAD_LINES
    assert correct(alice, approval=granted, reverses=Transfer.objects.earliest("id").pk) == BAD_LINES
    assert correct(alice) == NOT_APPROVED
    assert balance(alice, "USDT") == (90, 10)


def test_an_approval_of_lines_grants_nothing_about_holds(alice: User, granted: int) -> None:
    account = f"USER:{alice.pk}:USDT"
    columns = [account, "EQUITY::USDT"], "{A,S}", "{5,-5}"
    release = ("release", 1, account, None)
    assert try_post(*columns, release, kind="ADJUSTMENT", approval=granted) == BAD_LINES
    assert try_post(*columns, kind="ADJUSTMENT", approval=granted, spills=True) == BAD_LINES
    assert balance(alice, "USDT") == (90, 10)


@pytest.mark.parametrize(
    "change",
    ["status = 'ASKED'", "status = 'REFUSED'", "status = 'USED'", "status = 'FAILED'", "payload_hash = ''"],
)
def test_only_a_granted_request_serves(alice: User, granted: int, change: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE office_approval SET {change}")
    assert correct(alice, approval=granted) == NOT_APPROVED


def test_who_asked_cannot_be_who_decided_even_by_hand(granted: int) -> None:
    assert refusal_of("UPDATE office_approval SET decided_by_id = asked_by_id") == CHECK
    assert refusal_of("UPDATE office_approval SET decided_by_id = NULL") == CHECK
