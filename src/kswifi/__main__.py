"""`python -m kswifi` is the command line."""

from kswifi.cli import main

if __name__ == "__main__":
    main()
