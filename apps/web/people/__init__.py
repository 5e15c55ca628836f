"""What the pages of people and of programs' keys read."""
