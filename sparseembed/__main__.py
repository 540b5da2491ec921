"""`python -m sparseembed`: the command line."""

import sys

from sparseembed.cli import main

if __name__ == "__main__":
    sys.exit(main())
