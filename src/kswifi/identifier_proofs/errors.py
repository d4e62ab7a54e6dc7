"""The errors of identifier proofs."""

from kswifi.kernel.errors import KswifiError


class IdentifierCannotBeProvedError(KswifiError):
    """No sender is configured for this kind of identifier: text messages for numbers, e-mail for addresses."""

    code = "identifier_cannot_be_proved"


class UnknownProofError(KswifiError):
    """No proof has this id, or it was deleted."""

    code = "unknown_proof"


class ProofCodeWrongError(KswifiError):
    """The code is wrong; ``tries_left`` is the number of attempts left."""

    code = "proof_code_wrong"


class ProofCodeOverError(KswifiError):
    """The code has expired, has no attempts left, or its message was refused: request a new one."""

    code = "proof_code_over"
