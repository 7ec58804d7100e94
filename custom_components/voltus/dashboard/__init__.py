"""The dashboard that comes along: its JavaScript, and how Home Assistant hears of it."""
