"""An account as Home Assistant shows it: its devices, options, repair issues, recent activity."""
