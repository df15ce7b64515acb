"""
Certificate Transparency followed: what public logs say was issued for the policy's names.

Every tree head is verified by the log's key, every head is held to the one before it, and every entry is held to the
head: what a log is found to say, it has signed. What is found is told, and changes no policy.
"""
