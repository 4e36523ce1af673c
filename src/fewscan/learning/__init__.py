"""Ways of learning: views, losses, and one file a method."""
