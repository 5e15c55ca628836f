"""What the pages of alerts and limits read."""
