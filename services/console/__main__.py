"""`python -m services.console`: the same as `offramp`."""

import sys

from services.console.main import main

if __name__ == "__main__":
    sys.exit(main())
