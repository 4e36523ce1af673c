"""Whether the files of a dataset, a run or a comparison are those that fewscan wrote."""
