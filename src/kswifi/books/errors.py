"""What the book refuses."""

from kswifi.kernel.errors import KswifiError


class BooksError(KswifiError):
    """Anything the book refuses."""

    code = "books_refused"


class UnbalancedEntryError(BooksError):
    """An entry whose lines do not sum to zero, or are not lines."""

    code = "unbalanced_entry"


class ReferenceConflictError(BooksError):
    """The reference has been posted already, and said something else."""

    code = "book_reference_conflict"
