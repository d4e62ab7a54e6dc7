"""User accounts: passwords, login sessions and passkeys."""

from datetime import timedelta

from kswifi.accounts.passkeys import PasskeyService
from kswifi.accounts.passwords import Passwords
from kswifi.accounts.rates import Rate
from kswifi.accounts.relying_party import RelyingParty
from kswifi.accounts.service import AccountRules, AccountService
from kswifi.bootstrap.context import Context
from kswifi.bootstrap.part import Part
from kswifi.free_data.pseudonyms import Marks


async def open_accounts(context: Context) -> Part:
    """Open the accounts of people, with the operator's limits on attempts."""
    settings = context.settings
    passwords = Passwords()
    context.stack.callback(passwords.close)
    rules = AccountRules(
        login_lifetime=settings.login_lifetime,
        login_idle=settings.login_idle,
        logins_by_address=Rate(settings.logins_per_quarter_hour, timedelta(minutes=15)),
        registrations_by_address=Rate(settings.registrations_per_hour, timedelta(hours=1)),
        venues=settings.venues,
        proof_required=settings.requires_proof,
    )
    accounts = AccountService(context.database, passwords, rules, digest=context.need(Marks).digest)
    passkeys = PasskeyService(context.database, accounts, RelyingParty.of(settings.origin))
    context.offer(accounts, passkeys)
    return Part(chores={"login_sessions": accounts.prune, "passkey_challenges": passkeys.prune})
