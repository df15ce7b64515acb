"""The settings of a project that has one application and no database."""

import os

SECRET_KEY = os.environ.get("DJANGO_SECRET_KEY", "only for this example")
INSTALLED_APPS = ["bank"]
BANK_URL = os.environ.get("BANK_URL", "https://api.bank.example")
BANK_TOKEN = os.environ.get("BANK_TOKEN", "")
PINS = os.environ.get("PINS", "pins.toml")
