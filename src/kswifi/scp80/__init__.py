"""Secured packets to a card over the air (SCP80): bytes to types and back, and their cryptography.

Command and response packets of ETSI TS 102 225 as 3GPP TS 31.115 puts them into SMS-PP, the ENVELOPE that hands
them to a card, and the remote file management scripts of TS 102 226. Pure: no clock, no counter is kept here.
"""
