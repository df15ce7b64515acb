"""Every client, played against the lab."""
