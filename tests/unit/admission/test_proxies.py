"""The client's address can be chosen by nobody but trusted proxies."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.admission.proxies import CLOUDFLARE, ClientAddresses
from app.errors import ConfigurationError

EDGE = "104.16.1.1"  # one of Cloudflare's


def client(trusted: tuple[str, ...], peer: str, **headers: str) -> str:
    raw = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    return ClientAddresses(trusted).of({"client": (peer, 1234), "headers": raw})


def test_without_trusted_proxies_only_the_connection_counts() -> None:
    assert client((), "203.0.113.9", cf_connecting_ip="1.2.3.4", x_forwarded_for="5.6.7.8") == "203.0.113.9"


def test_a_trusted_proxys_right_most_untrusted_address_counts() -> None:
    spoofed = "9.9.9.9, 198.51.100.7, 10.0.0.3"
    assert client(("10.0.0.0/8",), "10.0.0.2", x_forwarded_for=spoofed) == "198.51.100.7"


def test_cloudflare_names_the_client() -> None:
    got = client(("cloudflare",), EDGE, cf_connecting_ip="198.51.100.7", x_forwarded_for="9.9.9.9")
    assert got == "198.51.100.7"


def test_cloudflare_before_our_own_proxy_names_the_client() -> None:
    forwarded = f"198.51.100.7, {EDGE}"
    got = client(
        ("cloudflare", "10.0.0.0/8"), "10.0.0.2", cf_connecting_ip="198.51.100.7", x_forwarded_for=forwarded
    )
    assert got == "198.51.100.7"


def test_a_header_that_a_proxy_only_passed_on_counts_for_nothing() -> None:
    """Somebody who reaches our proxy round Cloudflare cannot choose an address."""
    got = client(
        ("cloudflare", "10.0.0.0/8"), "10.0.0.2", cf_connecting_ip="1.2.3.4", x_forwarded_for="203.0.113.9"
    )
    assert got == "203.0.113.9"


def test_a_trusted_proxy_that_names_no_other_client_may_use_cloudflares_header() -> None:
    assert client(("127.0.0.1",), "127.0.0.1", cf_connecting_ip="198.51.100.7") == "198.51.100.7"


def test_garbage_to_the_left_is_not_believed() -> None:
    assert client(("10.0.0.0/8",), "10.0.0.2", x_forwarded_for="1.1.1.1, <script>, 10.0.0.9") == "10.0.0.9"


def test_ipv6_counts_by_its_64_bit_prefix_and_mapped_ipv4_as_ipv4() -> None:
    addresses = ClientAddresses(())
    first = addresses.of({"client": ("2001:db8:1:2:aaaa::1", 1), "headers": []})
    second = addresses.of({"client": ("2001:db8:1:2:bbbb::2", 1), "headers": []})
    assert first == second == "2001:db8:1:2::/64"
    assert addresses.of({"client": ("2001:db8:1:3::1", 1), "headers": []}) != first
    assert addresses.of({"client": ("::ffff:192.0.2.1", 1), "headers": []}) == "192.0.2.1"


def test_ports_and_brackets_are_understood() -> None:
    assert client(("10.0.0.0/8",), "10.0.0.2", x_forwarded_for="192.0.2.1:443") == "192.0.2.1"
    assert client(("10.0.0.0/8",), "10.0.0.2", x_forwarded_for="[2001:db8::1]:443") == "2001:db8::/64"


def test_several_header_lines_are_one_list() -> None:
    headers = [(b"x-forwarded-for", b"9.9.9.9"), (b"x-forwarded-for", b"198.51.100.7")]
    assert (
        ClientAddresses(("10.0.0.2",)).of({"client": ("10.0.0.2", 1), "headers": headers}) == "198.51.100.7"
    )


@given(st.binary(max_size=200), st.binary(max_size=60), st.sampled_from([EDGE, "10.0.0.2", "203.0.113.9"]))
def test_no_header_breaks_it(forwarded: bytes, connecting: bytes, peer: str) -> None:
    scope = {
        "client": (peer, 1),
        "headers": [(b"x-forwarded-for", forwarded), (b"cf-connecting-ip", connecting)],
    }
    assert ClientAddresses(("cloudflare", "10.0.0.0/8")).of(scope)


@given(st.text(max_size=30), st.text(max_size=30))
def test_an_untrusted_peer_stays_what_it_is(forwarded: str, connecting: str) -> None:
    scope = {
        "client": ("203.0.113.9", 1),
        "headers": [
            (b"x-forwarded-for", forwarded.encode("utf-8")),
            (b"cf-connecting-ip", connecting.encode("utf-8")),
        ],
    }
    assert ClientAddresses(("cloudflare", "10.0.0.0/8")).of(scope) == "203.0.113.9"


def test_a_wrong_network_is_refused_with_the_variables_name() -> None:
    with pytest.raises(ConfigurationError, match=r"TRUSTED_PROXIES.*cloudfare"):
        ClientAddresses(("cloudfare",))


def test_no_peer_is_one_bucket() -> None:
    assert ClientAddresses(()).of({"client": None, "headers": []}) == "unknown"


def test_the_preset_has_both_families() -> None:
    assert {network.version for network in CLOUDFLARE} == {4, 6}
