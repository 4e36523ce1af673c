"""The study that fewscan began with, doi 10.17798/bitlisfen.1558069: its recipe, its tables and figures, theirs beside ours."""
