"""From files on disk to an audited, split dataset."""
