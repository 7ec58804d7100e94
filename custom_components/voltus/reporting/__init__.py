"""What the operator can ask for afterwards: all dispatches, and the log of what came of them."""
