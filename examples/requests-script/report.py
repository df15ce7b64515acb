"""A script that somebody wrote without a thought of pins, and that stays as it is."""

import os

import requests

reply = requests.post(
    f"{os.environ['BANK_URL']}/accounts/ada",
    json={"amount": "12.50"},
    headers={"Authorization": f"Bearer {os.environ['BANK_TOKEN']}"},
    timeout=5,
)
reply.raise_for_status()
print(reply.json()["balance"])
