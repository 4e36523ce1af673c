"""Practice scans: slices of made-up heads, drawn from a seed, with tumors whose place is known.

They look like magnetic resonance images to a person and ask a classifier the same question (what is there, and where), but the
anatomy in them is nobody's, and no score on them says anything about real scans.
"""

from fewscan.phantoms.drawing import CLASSES, VIEWS, Phantom, draw_phantom
from fewscan.phantoms.practice import PracticeScan, PracticeScans, write_practice_scans

__all__ = ["CLASSES", "VIEWS", "Phantom", "PracticeScan", "PracticeScans", "draw_phantom", "write_practice_scans"]
