"""The lab: authorities of the moment, hostile servers that keep evidence, and real interception, all on the loopback."""
