"""The one kind of failure a person sees from a `make` target: a single line that says what to do."""


class Problem(Exception):
    """Raised with one clear sentence or two: what is wrong, and what to do about it."""
