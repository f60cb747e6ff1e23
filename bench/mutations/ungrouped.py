"""Linli with a commit for every unit of work, to show what sharing them is worth."""

import os

from main import run_server
from models.storage import writer
from schema.settings import Settings

if __name__ == "__main__":
    writer.MOST_SHARED = 1
    run_server(Settings.from_environment(os.environ))
