"""The ledger: the octets that each wallet was credited, has reserved and has used.

An outcome is answered only once it is durable. The pure ``model`` applies ``commands`` to the ``state``, which
changes by ``effects`` only. The journal in ``storage`` keeps the effects of each batch as one record. ``client``
connects the model to the journal.
"""
