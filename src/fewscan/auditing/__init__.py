"""What a dataset hides: copies, heads, leaks, and what is probably no scan."""
