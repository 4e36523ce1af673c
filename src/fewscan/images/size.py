"""The size that scans are stored at, where `auto` settles it by how large they are and how many."""

from typing import NamedTuple

from fewscan.images.options import USUAL_PX

# What ImageNet's weights learned at. What it was worth over USUAL_PX: docs/search.md, 29.
FINER_PX = 224
FINER_WORTH = "1 to 6 points of accuracy"
# How large scans must be themselves for more pixels to show more.
LEAST_PX = 2 * USUAL_PX
# So many scans of FINER_PX take 2 GB of disk, and features of all a quarter of an hour of a core.
MOST_SCANS = 20_000


class Sides(NamedTuple):
    """How large scans are, of which some were looked at, and how many there are."""

    median_px: int  # of the longer sides of those looked at; 0 where none can be read
    scans: int

    def chosen_px(self, *, pretrained: bool) -> int:
        """Return the size that is chosen; pretrained: whether ImageNet's weights are installed, for which finer scans pay."""
        return FINER_PX if pretrained and self._are_large and self.scans <= MOST_SCANS else USUAL_PX

    def sentence(self, *, pretrained: bool) -> str:
        """Return what was seen and chosen, and how to choose otherwise; empty where scans are too small to choose."""
        if not self._are_large:
            return ""
        chosen = self.chosen_px(pretrained=pretrained)
        stored = f"size: scans of {self.median_px:,} px (median) are stored at {chosen} px (--size {chosen})"
        if chosen == FINER_PX:
            return (
                f"{stored}, as ImageNet's networks take them; --size {USUAL_PX} trains up to four times as fast on a fifth of "
                f"the disk, but cost {FINER_WORTH} in our tests"
            )
        why = f", since there are more than {MOST_SCANS:,}" if self.scans > MOST_SCANS else ""
        weights = "" if pretrained else "with pip install 'fewscan[pretrained]', "
        longer = (FINER_PX / USUAL_PX) ** 2
        return (
            f"{stored}{why}; {weights}--size {FINER_PX} was worth {FINER_WORTH} in our tests, and takes up to "
            f"{longer:.0f} times as long and as much disk"
        )

    @property
    def _are_large(self) -> bool:
        return self.median_px >= LEAST_PX
