"""
Alerts: what is found becomes messages to people, by the routes of one file, through apprise.

What is to be told is written to the database before it is told, and leaves it when somebody's service took it. The
message itself is carried by a process of its own, which can reach public addresses alone.
"""
