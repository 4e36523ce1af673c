"""What becomes of a run where scans look processed otherwise than those that it learned from."""
