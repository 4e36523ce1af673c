"""fewscan: a folder of medical scans, few of them labelled, becomes an audited, honest classifier that labels the rest.

Research use only.
"""

__version__ = "0.1.0"
