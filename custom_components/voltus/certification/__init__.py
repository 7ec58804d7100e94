"""Voltus' certification: the scenarios it asks for, how each must go, and the actions that run them."""
