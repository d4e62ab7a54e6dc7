"""The errors of the books."""

from kswifi.kernel.errors import KswifiError


class BooksError(KswifiError):
    """The base class of the books' errors."""

    code = "books_refused"


class UnbalancedEntryError(BooksError):
    """The lines of an entry do not sum to zero, or are not valid lines."""

    code = "unbalanced_entry"


class ReferenceConflictError(BooksError):
    """The reference has already been posted with another kind or other lines."""

    code = "book_reference_conflict"
