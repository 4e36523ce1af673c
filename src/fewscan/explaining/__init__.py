"""What a prediction rests on, and whether such evidence means something."""
