"""Home Assistant with a local Voltus: watch a dispatch shed loads in the browser."""
