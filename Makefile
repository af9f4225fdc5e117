# Needs only Python 3.11 to 3.13 and make; everything else is installed into this folder.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null && echo $$p && break; done)
SETUP = @$(or $(PYTHON),$(error Causeway needs Python 3.11, 3.12 or 3.13)) exchange/local/setup.py
IN = .venv/bin/python -m
export PYTHONDONTWRITEBYTECODE =

.PHONY: run test test-browser check bench bench-ledger bench-fanout soak soak-ledger prove prove-market prove-streams prove-gate prove-accounts prove-routes prove-convert bench-books bench-wide bench-orders clean

run: ; $(SETUP) run
	@$(IN) exchange.local run

test: ; $(SETUP) test
	@$(IN) exchange.local test -m "not browser" $(ARGS)

test-browser: ; $(SETUP) test
	@$(IN) exchange.local test -m browser -n 0 $(ARGS)

check: ; $(SETUP) test
	@$(IN) exchange.local check

bench: bench-ledger bench-orders bench-books bench-wide bench-fanout

bench-ledger: ; $(SETUP) test
	@$(IN) tests.bench.ledger

# About six minutes; ROUNDS=… and SLICE_SECONDS=… make it shorter.
bench-orders: ; $(SETUP) test
	@$(IN) tests.bench.orders

# A quarter of an hour; MINUTES=0 leaves out the ten of its memory.
bench-wide: ; $(SETUP) test
	@$(IN) tests.bench.wide

bench-fanout: ; $(SETUP) test
	@$(IN) tests.bench.fanout

# Beside other order books, in an environment of its own.
bench-books: ; $(SETUP) peers
	@.venv-peers/bin/python -m tests.bench.books

# Every kind of transfer from several processes against an auditor; SEED=… repeats a run, WORKERS=… says how many.
SECONDS_ ?= 600
soak-ledger: ; $(SETUP) test
	@SECONDS_=$(SECONDS_) $(IN) tests.soak.ledger

# All processes run and customers trade while every order fault strikes the venue; MINUTES=10, SEED=… repeats its choices.
soak: ; $(SETUP) test
	@$(IN) tests.soak.orders

# What is too long for the suite, at its full length.
prove: ; $(SETUP) test
	@$(IN) tests.prove

# 400 busy markets lose their books at once: how soon they are LIVE again, and what it costs.
prove-market: ; $(SETUP) test
	@$(IN) tests.prove_market

# Three simulated hours of listen keys at sixty times the speed, then 61 minutes without a worker: about five minutes.
prove-streams: ; $(SETUP) test
	@$(IN) tests.prove_streams

# The gate: books lost under load, a flood, a venue that hangs or fails, a kill switch, a ban; a quarter of an hour.
prove-gate: ; $(SETUP) test
	@$(IN) tests.prove_gate

# Two venue accounts under load: keys rotated, one revoked, and a search for secrets; about three minutes.
prove-accounts: ; $(SETUP) test
	@$(IN) tests.prove_accounts

# 10,000 orders in two identical paper worlds, one direct, one by routes; ORDERS=… for fewer, SEED=… repeats a run.
prove-routes: ; $(SETUP) test
	@$(IN) tests.prove_routes

# Conversions while every fault strikes what covers them: about three minutes; SECONDS_=120, SEED=6.
prove-convert: ; $(SETUP) test
	@$(IN) tests.prove_convert

clean: ; rm -rf .venv .venv-peers node_modules .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
