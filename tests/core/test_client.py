import pytest
from django.test import RequestFactory

from apps.core.client import client_ip


@pytest.mark.parametrize(
    ("n_proxies", "forwarded", "address"),
    [
        (0, "", "10.0.0.1"),
        (0, "1.1.1.1", "10.0.0.1"),  # nobody of ours wrote that
        (1, "1.1.1.1", "1.1.1.1"),
        (1, "6.6.6.6, 1.1.1.1", "1.1.1.1"),  # the visitor made up the first
        (2, "6.6.6.6, 1.1.1.1, 10.9.9.9", "1.1.1.1"),
        (2, "1.1.1.1", "1.1.1.1"),
        (1, "", "10.0.0.1"),
        (1, " , ", "10.0.0.1"),
    ],
)
def test_only_what_our_proxies_wrote_is_believed(settings, n_proxies, forwarded, address):
    settings.TRUSTED_PROXIES = n_proxies
    settings.TRUSTED_PROXY_IPS = []
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    assert client_ip(RequestFactory().get("/", REMOTE_ADDR="10.0.0.1", headers=headers)) == address


@pytest.mark.parametrize(
    ("n_proxies", "peer", "forwarded", "address"),
    [
        (1, "10.0.0.1", "1.1.1.1", "1.1.1.1"),
        (1, "10.0.0.1", "10.5.5.5", "10.5.5.5"),  # a visitor from our own network, past the one proxy there is
        (1, "6.6.6.6", "1.1.1.1", "6.6.6.6"),  # got round the proxy
        (2, "10.0.0.1", "1.1.1.1, 10.9.9.9", "1.1.1.1"),
        (2, "10.0.0.1", "1.1.1.1, 10.9.9.9:4711", "1.1.1.1"),
        (2, "10.0.0.1", "1.1.1.1, 6.6.6.6", "6.6.6.6"),  # got round the outer one
        (2, "10.0.0.1", "1.1.1.1, nonsense", "nonsense"),
        (2, "", "1.1.1.1, 10.9.9.9", ""),
        (0, "10.0.0.1", "1.1.1.1", "10.0.0.1"),
    ],
)
def test_whoever_gets_round_a_proxy_is_taken_for_himself(settings, n_proxies, peer, forwarded, address):
    settings.TRUSTED_PROXIES, settings.TRUSTED_PROXY_IPS = n_proxies, ["10.0.0.0/8"]
    request = RequestFactory().get("/", REMOTE_ADDR=peer, headers={"X-Forwarded-For": forwarded})
    assert client_ip(request) == address
