"""Linli with a commit for every unit of work, to show what sharing them is worth."""

import os

from main import Settings, serve
from models.storage import sqlite

if __name__ == "__main__":
    sqlite.MOST_SHARED = 1
    serve(Settings.from_environment(os.environ))
