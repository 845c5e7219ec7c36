"""`python -m trick_transfer COMMAND ...`, see command_line.py."""

from trick_transfer.command_line import main

main()
