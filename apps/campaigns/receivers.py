"""What campaigns does when calls has news."""


def connect() -> None:
    """Subscribe to the signals of calls; called once when the apps are ready."""
