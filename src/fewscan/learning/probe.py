"""The method `probe`: logistic regression on the features of an encoder that stays as it is, solved, not trained."""

from typing import Literal

import pydantic

from fewscan.learning.method import LabeledFeatures, Method, MethodSettings, Solution


class ProbeSettings(MethodSettings):
    """Settings of `probe`. strength: scikit-learn's C, which grows as the penalty shrinks; None: chosen by the labels."""

    name: Literal["probe"] = "probe"
    strength: float | None = pydantic.Field(default=None, gt=0)


class Probe(Method):
    """Every label counts through the image and its mirror image; the classes weigh as `class_balance` says.

    The strength of the penalty is the one under which labeled images are likeliest, each held out with its group. Source:
    Alain and Bengio 2016, "Understanding intermediate layers using linear classifier probes".
    """

    name = "probe"
    summary = "logistic regression on features of a frozen encoder, pretrained or of a run; takes seconds"
    settings_type = ProbeSettings
    two_views = False
    uses_unlabeled = False
    solves = True

    settings: ProbeSettings

    def solve(self, labeled: LabeledFeatures, seed: int) -> Solution:
        """Return the classifier; raises FewscanError where the labels are of one class."""
        # Scikit-learn takes a third of the time that a training takes to begin, and no other method needs it.
        from fewscan.learning.logistic_regression import regression

        return regression(labeled, self.settings.strength, seed)
