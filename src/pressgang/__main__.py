"""`python -m pressgang` is the command `pressgang`."""

from pressgang.cli import main

if __name__ == "__main__":
    main()
