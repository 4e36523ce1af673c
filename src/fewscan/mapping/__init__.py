"""All scans in two dimensions, so that people see clusters, outliers and wrong labels."""
