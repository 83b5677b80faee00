"""Labelled examples: reading, naming columns, checking, repairing and splitting them."""
