"""Published studies, each in a folder of its own, on top of the comparison: what they did, and theirs beside ours."""
