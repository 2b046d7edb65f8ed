"""How the properties are searched: anew in every run at a desk, the same examples in every run of CI.

A gate that fails on Tuesdays is no gate; what a desk run finds becomes an example of its own.
"""

import os

from hypothesis import HealthCheck, settings

settings.register_profile("desk", deadline=None)
settings.register_profile(
    "gate", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("gate" if os.environ.get("CI") else "desk")
