"""The review page: people give labels where they matter most, on this machine, and see the model get better meanwhile."""
