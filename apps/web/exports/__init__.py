"""What the pages of exports read."""
