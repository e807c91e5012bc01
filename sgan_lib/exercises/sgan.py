"""Checkers of this notebook."""
