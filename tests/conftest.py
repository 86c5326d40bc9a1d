"""What all tests share: hypothesis profiles, and a report of what was skipped."""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "moderate", max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("thorough", parent=settings.get_profile("moderate"), max_examples=5_000)
settings.load_profile(os.environ.get("KUVA_TEST_HYPOTHESIS", "moderate"))
