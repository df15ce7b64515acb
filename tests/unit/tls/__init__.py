"""Attacks on the pinned context, each under the name it has in the world."""
