"""From a dataset and a list of methods to tables that say which one is better, and whether that is statistically significant."""
