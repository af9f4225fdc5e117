"""What is done for customers who are gone, or want everything to stop. The only writer of the safety devices."""

from exchange.safety.services.countdowns import arm_countdown, disarm_countdown, fire_countdowns
from exchange.safety.services.panicking import finish_panics, press

__all__ = ["arm_countdown", "disarm_countdown", "finish_panics", "fire_countdowns", "press"]
