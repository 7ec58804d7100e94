"""Whoever asks Voltus: one conversation an account, with one order and one back-off."""
