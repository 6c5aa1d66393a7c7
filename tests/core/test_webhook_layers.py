"""The layers that know no carrier: how often, from where, how much, how old, and whether it was here before."""

import time
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.test import RequestFactory
from django.utils import timezone
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from apps.core import webhook_layers as layers
from apps.core.webhook_layers import Layer, WebhookRefused
from tests.calls.conftest import free_port

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _clean_counts():
    cache.clear()


def post(peer: str = "192.0.2.1", body: bytes = b"x", **headers: str):
    return RequestFactory().post("/hooks/x", body, content_type="text/plain", REMOTE_ADDR=peer, headers=headers)


def test_a_source_is_limited_over_a_sliding_window_and_no_other_with_it(settings, monkeypatch):
    settings.WEBHOOK_SOURCE_PER_S = 20
    monkeypatch.setattr(layers, "WINDOW_S", 1)
    for _ in range(20):
        layers.admit(post(), account="a")
    with pytest.raises(WebhookRefused) as refused:
        layers.admit(post(), account="a")
    assert (refused.value.layer, refused.value.status) == (Layer.RATE, 429)
    assert 0 < refused.value.retry_after_s <= 1
    layers.admit(post("192.0.2.2"), account="a")
    time.sleep(refused.value.retry_after_s + 0.01)
    layers.admit(post(), account="a")  # what was refused did not count


def test_a_carrier_with_fifty_callbacks_a_second_is_never_limited(settings):
    """Half a minute of them, as fast as they can be sent, is more than its ten seconds may hold at that rate."""
    for _ in range(50 * layers.WINDOW_S * 3):
        layers.admit(post(), account="a")
        layers.is_repeat(account="a", key="")


def test_an_account_is_limited_by_what_proved_genuine_only(settings, monkeypatch):
    settings.WEBHOOK_ACCOUNT_PER_S = 5
    monkeypatch.setattr(layers, "WINDOW_S", 1)
    for n in range(40):  # forgeries from everywhere
        layers.admit(post(f"192.0.2.{n}"), account="a")
    for n in range(5):
        layers.admit(post(f"198.51.100.{n}"), account="a")
        layers.is_repeat(account="a", key=f"k{n}")
    with pytest.raises(WebhookRefused) as refused:
        layers.admit(post("198.51.100.99"), account="a")
    assert refused.value.facts == {"over": "account"}
    layers.admit(post("198.51.100.99"), account="b")


def test_a_household_of_ipv6_is_one_source(settings, monkeypatch):
    settings.WEBHOOK_SOURCE_PER_S = 3
    monkeypatch.setattr(layers, "WINDOW_S", 1)
    for n in range(3):
        layers.admit(post(f"2001:db8::{n}"), account="a")
    with pytest.raises(WebhookRefused):
        layers.admit(post("2001:db8::ffff:9"), account="a")
    layers.admit(post("2001:db8:0:1::1"), account="a")


@pytest.mark.parametrize(
    ("n_proxies", "peer", "forwarded", "passes"),
    [
        (0, "192.76.120.130", "", True),
        (0, "192.76.120.127", "", False),
        (0, "::ffff:192.76.120.130", "", True),
        (0, "2001:db8::7", "", True),
        (0, "not an address", "", False),
        (0, "10.0.0.1", "192.76.120.130", False),  # whoever sends it writes what he likes
        (1, "10.0.0.1", "192.76.120.130", True),
        (1, "10.0.0.1", "192.76.120.130:50123", True),
        (1, "10.0.0.1", "[2001:db8::7]:443", True),
        (1, "10.0.0.1", "192.76.120.130, 6.6.6.6", False),  # the first was made up by 6.6.6.6
        (2, "10.0.0.1", "192.76.120.130, 10.9.9.9", True),
        (2, "10.0.0.1", "192.76.120.130, 6.6.6.6, 10.9.9.9", False),
        (1, "192.76.120.130", "", True),  # no proxy on the way: the peer itself
    ],
)
def test_only_listed_addresses_pass_as_our_own_proxies_saw_them(settings, n_proxies, peer, forwarded, passes):
    settings.TRUSTED_PROXIES = n_proxies
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    request = post(peer, **headers)
    allowed = ["192.76.120.128/29", "2001:db8::/32"]
    if passes:
        layers.admit(request, account="a", allowed=allowed)
        return
    with pytest.raises(WebhookRefused) as refused:
        layers.admit(request, account="a", allowed=allowed)
    assert (refused.value.layer, refused.value.status) == (Layer.ADDRESS, 403)
    layers.admit(request, account="a")  # without a list, from anywhere


def test_a_body_is_read_up_to_its_limit():
    assert layers.read_body(post(body=b"x" * 10), max_bytes=10) == b"x" * 10
    for request in (post(body=b"x" * 11), RequestFactory().post("/", b"x", content_type="a/b", CONTENT_LENGTH="1e3")):
        with pytest.raises(WebhookRefused) as refused:
            layers.read_body(request, max_bytes=10)
        assert (refused.value.layer, refused.value.status) == (Layer.SIZE, 413)


@pytest.mark.parametrize(("age_s", "passes"), [(0, True), (299, True), (305, False), (-250, True), (-305, False)])
def test_the_signed_time_lies_within_its_window(age_s, passes):
    at = timezone.now() - timedelta(seconds=age_s)
    if passes:
        layers.check_time(at, max_age=timedelta(seconds=300))
        return
    with pytest.raises(WebhookRefused) as refused:
        layers.check_time(at, max_age=timedelta(seconds=300))
    assert refused.value.layer == Layer.TIME


def test_what_had_its_effect_is_known_again():
    assert not layers.is_repeat(account="a", key="k")
    assert not layers.is_repeat(account="a", key="k")  # the first one failed on our side: its retry is welcome
    layers.remember(account="a", key="k", keep=DAY)
    assert layers.is_repeat(account="a", key="k")
    assert not layers.is_repeat(account="b", key="k")
    layers.remember(account="a", key="", keep=DAY)
    assert not layers.is_repeat(account="a", key="")


def test_without_redis_webhooks_pass_and_the_log_says_so(settings):
    settings.REDIS_URL = f"redis://127.0.0.1:{free_port()}/0"
    began = time.monotonic()
    with capture_logs() as lines:
        layers.admit(post(), account="a")
        assert not layers.is_repeat(account="a", key="k")
        layers.remember(account="a", key="k", keep=DAY)
    assert time.monotonic() - began < 2
    assert [line["layer"] for line in lines if line["event"] == "webhook_layer_skipped"] == ["rate", "replay", "replay"]
    with pytest.raises(WebhookRefused):  # the list of addresses needs no Redis
        layers.admit(post(), account="a", allowed=["10.0.0.0/8"])


@pytest.mark.parametrize("layer", [layer for layer in Layer if layer is not Layer.ERROR])
def test_each_layer_has_a_count_and_a_line_of_its_own(layer, settings):
    settings.TRUSTED_PROXIES = 1
    name, labels = "callcentre_webhook_requests_refused_total", {"layer": str(layer)}
    before = REGISTRY.get_sample_value(name, labels) or 0
    error = WebhookRefused(layer, 403, retry_after_s=0.2, why="because")
    with capture_logs() as lines:
        answer = layers.refusal(error, post(**{"X-Forwarded-For": "198.51.100.7"}), hook="status")
    assert (answer.status_code, answer["Retry-After"]) == (403, "1")
    assert REGISTRY.get_sample_value(name, labels) == before + 1
    (line,) = lines
    assert (line["layer"], line["client_ip"], line["hook"], line["why"]) == (layer, "198.51.100.7", "status", "because")
    assert line["event"].startswith("webhook_")


def test_no_two_layers_share_their_line():
    assert len(set(layers._LINES.values())) == len(layers._LINES)
