"""Say whether this machine can train, check by check, and how to mend what fails.

tools/doctor.py

Exit code: 0; 1 if a check failed.
"""

import argparse

from trick_transfer.runs.machine import diagnose


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    failed = 0
    for name, passed, said in diagnose():
        print(f"{'ok    ' if passed else 'failed'}  {name:13}  {said}", flush=True)
        failed += not passed
    return 1 if failed else 0
