"""`python -m engine` is the `tandem` command."""

import sys

from engine.cli import script

sys.exit(script())
