import sys
from pathlib import Path

# Processes started by the tests import the example by name, so it must be importable, not only collected.
sys.path.insert(0, str(Path(__file__).parent))
