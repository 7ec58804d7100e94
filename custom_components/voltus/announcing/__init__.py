"""What is announced: to the event bus, to our own triggers and entities, and in words."""
