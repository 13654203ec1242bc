"""``python -m packbank``."""

import sys

from packbank.cli import main

sys.exit(main())
