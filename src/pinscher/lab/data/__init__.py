"""What mitmproxy is installed from, and what it loads to keep evidence."""
