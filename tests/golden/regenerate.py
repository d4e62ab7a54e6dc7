"""`python -m tests.golden.regenerate`: write the golden files anew, after a change that is meant."""

from tests.golden.dumps import regenerate

if __name__ == "__main__":
    regenerate()
