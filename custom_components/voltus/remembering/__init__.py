"""What outlives a restart: what is known, what was announced, and the log of both."""
