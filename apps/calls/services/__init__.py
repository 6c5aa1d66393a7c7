"""What may be done with calls, one verb per file."""
