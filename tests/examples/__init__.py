"""Every example, run against a genuine bank and against whoever takes its place."""
