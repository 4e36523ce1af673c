"""From a dataset and a list of methods to tables that say which one is better, and whether significantly."""
