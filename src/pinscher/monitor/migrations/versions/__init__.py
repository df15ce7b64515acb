"""The revisions of the monitor's tables; the oldest is numbered 0001."""
