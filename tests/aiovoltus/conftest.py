"""How Hypothesis searches here: no timed assertions, and a blob to replay a failure."""

from hypothesis import settings

settings.register_profile("voltus", deadline=None, print_blob=True, max_examples=200)
settings.load_profile("voltus")
