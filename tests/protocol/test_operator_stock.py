"""What operators say of their stock: metadata on the card, policy rules and eligibility, and orders that expire."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from kswifi.bench.es9_client import Download
from kswifi.esim.errors import OperatorRefusedError
from kswifi.esim.lines.vault import SubscriberVault
from kswifi.esim.model import ProfileState
from kswifi.esim.operators.operator_orders import expire_order
from kswifi.esim.operators.operators import find_operator
from kswifi.esim.operators.profile_stock import stock_profile
from kswifi.esim.operators.stock_metadata import StockMetadata, profile_owner
from kswifi.euicc.card import Euicc
from kswifi.euicc.es10.credentials import credentials_of_pki
from kswifi.lab.phone.activation_code import ActivationCode
from kswifi.lab.phone.es9 import HttpEs9
from kswifi.lab.phone.es10 import Es10
from kswifi.lab.phone.lpa import Lpa
from kswifi.rsp import binding, tlv
from kswifi.rsp.fields import encode_bits
from kswifi.rsp.messages.authentication import EuiccSigned1, ServerSigned1, decode_authenticate_server_response
from kswifi.rsp.messages.euicc_info import TAG_EUICC_INFO2, EuiccInfo2
from kswifi.rsp.messages.metadata import IconType, PolicyRule, ProfileMetadata
from tests.support.cards import iccid, profile_package
from tests.support.clocks import ManualClock
from tests.support.es2 import Operator, codes, registered
from tests.support.memory_storage import MemoryStorage
from tests.support.smdp import (
    ADDRESS,
    NOW,
    VAULT_KEY,
    RunningSmdp,
    authenticated,
    client_context,
    refused,
    running_smdp,
)

S = ProfileState
ICON = (b"\x89PNG\r\n\x1a\n" + bytes(1016))[:1024]
RULES_SET = frozenset({int(PolicyRule.DELETION_NOT_ALLOWED)})
SAID = StockMetadata("Prepaid", ICON, profile_owner("62199/0A/0B0C"), RULES_SET)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSmdp]:
    with running_smdp(tmp_path_factory.mktemp("smdp"), clock=ManualClock(NOW), es2_on_es9=True) as running:
        yield running


@pytest.fixture(scope="module")
def mine(server: RunningSmdp, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    operator = registered(server, tmp_path_factory.mktemp("mine"), "mine")
    yield operator
    operator.close()


def stock(mine: Operator, number: int, said: StockMetadata, package: bytes | None = None) -> str:
    octets = profile_package(number) if package is None else package
    vault = SubscriberVault(VAULT_KEY)
    return mine.server.write(
        lambda connection: stock_profile(
            connection, vault, find_operator(connection, mine.name), "prepaid", octets, said
        )
    )


def released(mine: Operator, number: int, said: StockMetadata) -> str:
    """Stock, order and release a profile; return its MatchingID."""
    stock(mine, number, said)
    mine.ordered(number)
    return str(mine.ask("confirmOrder", iccid=iccid(number), releaseFlag=True)["matchingId"])


def test_the_card_gets_and_keeps_what_the_operator_said(server: RunningSmdp, mine: Operator) -> None:
    """Metadata of 1.2 kB, over two segments, bound for our own card and shown by it."""
    matching_id = released(mine, 500, SAID)
    walk = authenticated(server, matching_id)
    shown = walk.metadata
    assert (shown.service_provider_name, shown.profile_name, shown.icon) == ("mine", "Prepaid", ICON)
    assert (shown.icon_type, shown.owner, shown.policy_rules) == (IconType.PNG, SAID.owner, RULES_SET)
    card = Euicc.create(
        MemoryStorage(), credentials_of_pki(server.pki).eid, credentials=credentials_of_pki(server.pki)
    )
    with HttpEs9(client_context(server.pki), f"127.0.0.1:{server.smdp.port}") as es9:
        lpa = Lpa(card, es9)
        lpa.download(ActivationCode(ADDRESS, matching_id))
        assert [done.failure for done in lpa.process_notifications()] == [None]
    with Es10(card) as es10:
        (profile,) = es10.profiles((0x5A, 0x91, 0x92, 0x93, 0x94, 0xB7, 0x99))
    assert (profile.icon, profile.profile_name, profile.owner) == (ICON, "Prepaid", SAID.owner)
    assert profile.policy_rules == RULES_SET
    assert mine.order_of(500).profile_state is S.INSTALLED


def test_metadata_of_every_profile_may_take_several_segments(server: RunningSmdp, mine: Operator) -> None:
    matching_id = released(mine, 501, replace(SAID, policy_rules=frozenset(), owner=None))
    walk = authenticated(server, matching_id)
    walk.get_package()
    stored = [each for each in walk.open_package() if isinstance(each, binding.MetadataStored)]
    assert ProfileMetadata.decode(stored[0].request).icon == ICON
    segments = next(each for each in tlv.walk(tlv.read(walk.package)[0].value) if each.tag == 0xA1)
    assert len(list(tlv.walk(segments.value))) == 2


def forbidding(walk: Download, rules: frozenset[int]) -> bytes:
    """Return the card's good answer, with forbiddenProfilePolicyRules in its EUICCInfo2."""
    answer = decode_authenticate_server_response(walk.authenticate_response())
    signed = answer.euicc_signed1  # type: ignore[union-attr]
    content = tlv.only(signed.euicc_info2.raw, TAG_EUICC_INFO2).value
    info2 = EuiccInfo2.decode(tlv.encode(TAG_EUICC_INFO2, content, encode_bits(0x99, rules)))
    server_signed = ServerSigned1.build(
        transaction_id=signed.transaction_id,
        euicc_challenge=bytes(16),
        server_address=signed.server_address,
        server_challenge=signed.server_challenge,
    )
    changed = EuiccSigned1.build(server_signed, info2, signed.ctx_params1)
    walk.card.signature1 = walk.card.sign(changed.raw)
    return replace(answer, euicc_signed1=changed, euicc_signature1=walk.card.signature1).encode()  # type: ignore[arg-type]


def test_a_card_that_forbids_a_rule_of_the_profile_is_not_eligible(server: RunningSmdp, mine: Operator) -> None:
    matching_id = released(mine, 502, SAID)
    walk = server.download(matching_id)
    walk.initiate()
    with refused("8.2.5/4.3"):
        walk.authenticate(forbidding(walk, RULES_SET | {0}))
    assert mine.order_of(502).profile_state is S.RELEASED
    walk = server.download(matching_id)
    walk.initiate()
    walk.authenticate(forbidding(walk, frozenset({int(PolicyRule.DISABLING_NOT_ALLOWED)})))


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (StockMetadata("x" * 65), "64 octets"),
        (StockMetadata(icon=ICON + b"x"), "1024"),
        (StockMetadata(icon=b"GIF89a"), "PNG or a JPEG"),
        (StockMetadata(policy_rules=RULES_SET), "owner"),
        (StockMetadata(policy_rules=frozenset({7}), owner=SAID.owner), "no such"),
        (StockMetadata(order_days=0), "1 to 3650"),
    ],
)
def test_metadata_that_no_card_takes_is_refused_and_nothing_is_stocked(
    mine: Operator, said: StockMetadata, words: str
) -> None:
    with pytest.raises(OperatorRefusedError, match=words):
        stock(mine, 503, said)
    with codes("8.2.1/3.9"):
        mine.ordered(503)


def test_metadata_is_said_anew_until_the_profile_is_ordered(server: RunningSmdp, mine: Operator) -> None:
    stock(mine, 504, StockMetadata())
    matching_id = released(mine, 504, SAID)
    assert authenticated(server, matching_id).metadata.profile_name == "Prepaid"
    stock(mine, 504, SAID)  # the same again changes nothing
    with pytest.raises(OperatorRefusedError, match="was ordered"):
        stock(mine, 504, StockMetadata("Another"))


# --- orders that expire


def expire_due(server: RunningSmdp) -> int:
    assert server.smdp.operators is not None
    return asyncio.run_coroutine_threadsafe(server.smdp.operators.orders.expire(), server.loop).result(20)


def test_an_order_expires_by_the_days_of_its_profile(tmp_path: Path) -> None:
    clock = ManualClock(NOW)
    with running_smdp(tmp_path, clock=clock, es2_on_es9=True) as server:
        one = registered(server, tmp_path, "one")
        matching_id = released(one, 505, StockMetadata(order_days=2))
        kept = released(one, 506, StockMetadata())
        authenticated(server, matching_id)
        assert expire_due(server) == 0
        clock.advance(timedelta(days=2))
        with refused("8.8.5/4.10"):
            authenticated(server, matching_id)
        assert (expire_due(server), expire_due(server)) == (1, 0)
        expired = one.order_of(505)
        assert (expired.profile_state, expired.state_reason) == (S.ERROR, "the order has expired")
        with refused("8.8.5/4.10"):
            authenticated(server, matching_id)
        authenticated(server, kept)
        one.ask("cancelOrder", iccid=iccid(505), finalProfileStatusIndicator="Available")
        assert one.order_of(505).expires_at is None
        one.ordered(505)
        one.close()


def test_an_order_is_made_to_expire_and_an_installation_before_that_still_counts(
    server: RunningSmdp, mine: Operator
) -> None:
    matching_id = released(mine, 507, StockMetadata())
    owner = mine.order_of(507).operator_id or ""
    walk = authenticated(server, matching_id)
    walk.get_package()
    server.write(lambda connection: expire_order(connection, owner, str(iccid(507))))
    with refused("8.8.5/4.10"):
        authenticated(server, matching_id)
    with pytest.raises(OperatorRefusedError, match="only a released order expires"):
        server.write(lambda connection: expire_order(connection, owner, str(iccid(507))))
    walk.notify(walk.install_result(server.oid))
    assert mine.order_of(507).profile_state is S.INSTALLED


def test_operators_orders_have_the_installations_lifetime_otherwise(tmp_path: Path) -> None:
    from kswifi.settings.provisioning import ProvisioningSettings

    rules = ProvisioningSettings(order_days=3, order_downloads=1, confirmation_code_tries=2).smdp_rules
    with running_smdp(tmp_path, rules=rules, clock=ManualClock(NOW), es2_on_es9=True) as server:
        operator = registered(server, tmp_path, "one")
        released(operator, 510, StockMetadata())
        stock(operator, 511, StockMetadata(order_days=1))
        operator.ordered(511)
        operator.ask("confirmOrder", iccid=iccid(511), releaseFlag=False)
        assert operator.order_of(511).expires_at is None
        operator.ask("releaseProfile", iccid=iccid(511))
        assert operator.order_of(510).expires_at == NOW + timedelta(days=3)
        assert operator.order_of(511).expires_at == NOW + timedelta(days=1)
        operator.close()
    assert (rules.downloads, rules.confirmation_code_tries) == (1, 2)
