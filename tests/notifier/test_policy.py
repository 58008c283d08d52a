"""The shipped policy is what the code defaults to, and a policy that would mislead a customer is refused."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from services.notifier.policy import NotifierPolicy
from services.runtime.policies import DEFAULT_FILE, PolicyError, read


def test_the_shipped_file_says_what_the_code_defaults_to() -> None:
    policy, _ = read(DEFAULT_FILE, "notifier", NotifierPolicy)
    assert policy == NotifierPolicy()


@pytest.mark.parametrize(
    "section",
    [
        {"links": {"account": "http://example.com/account"}},
        {"links": {"account": "https://elsewhere.example/account"}},
        {"links": {"account": "https://example.com@elsewhere.example/"}},
        {"links": {"account": 'https://example.com/"><script>'}},
        {"links": {"acount": "https://example.com/account"}},
        {"time_zone": "Mars/Olympus"},
        {"hold_status": "-3m"},
        {"hold_status": 3},
        {"try_again_after": []},
        {"try_again_after": ["1h", "1m"]},
        {"proof_within": "5m"},
        {"deliver_within": {"proof": "1d"}},
        {"alerts": {"addresses": {"ops": "ops@example.com"}}},
        {"alerts": {"window": "2h"}},
        {"sender": {"address": "hello@example.com\r\nBcc: a@b.example"}},
    ],
)
def test_a_policy_that_can_not_be_meant_is_refused(section: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        NotifierPolicy.model_validate(section)


def test_a_page_that_is_not_configured_is_no_mistake() -> None:
    assert NotifierPolicy.model_validate({"links": {"account": None}}).links.account is None


def test_a_file_with_its_own_hosts_goes_on_without_the_pages_it_does_not_name() -> None:
    policy = NotifierPolicy.model_validate({"link_hosts": ["shop.example"], "links": {"account": "https://shop.example/me"}})
    assert {page for _, page in policy.links} == {"https://shop.example/me", None}


def test_a_file_with_its_own_hosts_that_names_a_page_elsewhere_is_still_refused() -> None:
    with pytest.raises(ValidationError, match=r"links\.pause"):
        NotifierPolicy.model_validate({"link_hosts": ["shop.example"], "links": {"pause": "https://elsewhere.example/me"}})


@pytest.mark.parametrize(
    ("page", "may"),
    [
        ("https://example.com/act", True),
        ("http://example.com/act", False),
        ("https://example.com.evil.example/", False),
        ("https://example.com\\@evil.example/", False),
        ("javascript:alert(1)", False),
        ("https://[", False),
    ],
)
def test_a_link_from_outside_is_only_shown_when_its_host_is_ours(page: str, may: bool) -> None:
    assert NotifierPolicy().may_link(page) is may


def test_a_mistake_names_its_line(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text("notifier:\n  time_zone: UTC\n  hold_status: soon\n")
    with pytest.raises(PolicyError, match=r"policy\.yaml:3: notifier\.hold_status"):
        read(file, "notifier", NotifierPolicy)
