"""The program that a worker runs: ``python -m zhufeng.corpus.engine DESCRIPTOR``."""

import sys

from zhufeng.corpus.engine._worker import serve

serve(int(sys.argv[1]))
