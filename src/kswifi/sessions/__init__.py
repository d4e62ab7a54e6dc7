"""Floor 3: internet sessions, from the order over the package and the card's proof to the last octet.

``model`` and ``package`` are pure; ``service`` holds what people ask for, ``handlers`` what leaves a transaction,
``projector`` what the ledger says happened.
"""
