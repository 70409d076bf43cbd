"""`python -m timeloom`, the same as `timeloom`."""

import sys

from timeloom.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
