"""The study's kind of split."""

from fewscan.datasets.protocols import RandomProtocol


class StudyProtocol(RandomProtocol):
    """Images at random, as the study drew them, whatever copies of them lie elsewhere."""

    name = "study"
    title = "as published"
    summary = "as in the published study: images drawn at random, even if copies cross parts"
