"""Keys and certificates of the self-test; they are public, and protect nothing."""
