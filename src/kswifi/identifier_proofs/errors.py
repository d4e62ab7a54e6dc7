"""What proofs of identifiers refuse."""

from kswifi.kernel.errors import KswifiError


class IdentifierCannotBeProvedError(KswifiError):
    """No sender is set up for this kind of identifier: text messages for numbers, e-mail for addresses."""

    code = "identifier_cannot_be_proved"


class UnknownProofError(KswifiError):
    """No code was asked for under this id, or it is forgotten."""

    code = "unknown_proof"


class ProofCodeWrongError(KswifiError):
    """It is not the code that was sent; ``tries_left`` says how often one may try again."""

    code = "proof_code_wrong"


class ProofCodeOverError(KswifiError):
    """The code has had its time or its tries, or its message was refused: ask for another."""

    code = "proof_code_over"
