"""The pages of those above the AI: the monitor, stops, command, mandates."""
