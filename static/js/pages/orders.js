// The customer's list of orders: read again when something moved, and the dead-man's switches kept alive.

import "./live.js";
import "../lib/countdown.js";
