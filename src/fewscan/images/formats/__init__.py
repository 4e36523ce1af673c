"""One small file a format: which images a file holds, and their pixels."""
