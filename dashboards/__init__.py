"""Figures for people: Dash behind Django's doors, read-only, from cells."""
