"""`python -m fewscan` is the command line."""

from fewscan.cli import main

main()
