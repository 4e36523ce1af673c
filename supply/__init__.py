"""What fewscan is installed from: hashes, licenses, the wheel. For developers; no part of the package."""
