"""Home Assistant itself, as its users run it, driven from outside of its process.

A pytest run of its own (see pytest.toml): the harness of the other tests forbids sockets
and stands in for much of Home Assistant.
"""
