#!/usr/bin/env python
"""The command of this file's name, see trick_transfer/commands."""

from trick_transfer.command_line import main

if __name__ == "__main__":  # not in a process that Python spawns
    main(__file__)
