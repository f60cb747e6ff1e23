"""Linli with a commit for every unit of work, to show what sharing them is worth."""

import os

from main import Settings, run_server
from models.storage import sqlite

if __name__ == "__main__":
    sqlite.MOST_SHARED = 1
    run_server(Settings.from_environment(os.environ))
