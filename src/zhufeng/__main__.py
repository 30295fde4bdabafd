"""``python -m zhufeng`` is the command ``zhufeng``."""

import sys

from zhufeng.cli import main

sys.exit(main())
