"""The application that talks to the bank."""
