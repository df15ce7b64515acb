"""The folder of the loopback servers on the path, for the transcripts."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "probe"))
