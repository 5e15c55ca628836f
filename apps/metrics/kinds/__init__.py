"""The kinds of report: each one's document from cells and facts, without a database or a clock."""
