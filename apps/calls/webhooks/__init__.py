"""Carrier webhooks: verify, read, one service, answer fast. Nothing is believed before its signature is."""
