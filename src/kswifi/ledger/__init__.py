"""The ledger: the credited, reserved and used octets of each wallet. An outcome is answered only once it is
durable.

The pure ``model`` applies ``commands`` to the ``state``, which changes by ``effects`` only. The journal in
``storage`` keeps the effects of each batch as one record. ``client`` connects the model to the journal.
"""
