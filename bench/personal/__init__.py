"""Made-up personal data, ways of writing it, and texts that only look like it."""
