"""Voltus' certification: its scenarios, how each must go, the actions that run them."""
