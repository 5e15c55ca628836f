"""AI systems and their versions as pages show them."""
