"""The study's kind of split."""

from fewscan.datasets.protocols import RandomProtocol


class StudyProtocol(RandomProtocol):
    """Images at random, as the study drew them, whatever copies of them lie elsewhere."""

    name = "study"
    summary = "as the published study: images at random, wherever copies lie"
