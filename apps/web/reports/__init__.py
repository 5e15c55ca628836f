"""What the pages of reports read."""
