"""`python -m trick_transfer COMMAND ...`, see command_line.py."""

from trick_transfer.command_line import main

if __name__ == "__main__":  # not in a process that Python spawns
    main()
