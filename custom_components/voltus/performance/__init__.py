"""Performance: the load of a site against its baseline and target, by an estimate."""
