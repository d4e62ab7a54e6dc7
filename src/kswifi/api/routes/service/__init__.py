"""Routes of the service itself: catalogue, events, health, metrics."""
