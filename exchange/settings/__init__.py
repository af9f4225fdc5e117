"""All settings, by subject; a missing or odd value of the environment stops the start with a sentence."""

from exchange.settings.house import *
from exchange.settings.installation import *
from exchange.settings.installation import PRODUCTION
from exchange.settings.logs import *
from exchange.settings.production import refuse_what_would_hurt
from exchange.settings.servers import *
from exchange.settings.site import *
from exchange.settings.sweeps import *
from exchange.settings.venue import *

if PRODUCTION:
    refuse_what_would_hurt()
