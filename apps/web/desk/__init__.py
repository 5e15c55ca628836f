"""What the desk's pages show: pure functions from a case's document to what a template renders."""
