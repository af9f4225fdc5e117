"""What customers' orders go through, from the first check to the last report."""

from exchange.paper.trading.desk import Trading as Trading
