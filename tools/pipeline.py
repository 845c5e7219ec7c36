#!/usr/bin/env python
"""The command of this file's name, see trick_transfer/commands."""

from trick_transfer.command_line import main

main(__file__)
