"""What the operator does with single dispatches, and Voltus is not told."""
