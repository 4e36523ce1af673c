"""What people, folders and tables said of each image: a log that only grows, and what holds by it."""
