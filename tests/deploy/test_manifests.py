"""The manifests name what there is: files, settings, modules, ports, pages, topics and groups."""

import shutil
from pathlib import Path

import pytest
import yaml

from offramp_schemas.generate import ROOT
from services.lifecycle.policy import Policy as LifecyclePolicy
from services.notifier.policy import NotifierPolicy
from services.refunds.policy import Policy as RefundsPolicy
from services.runtime import policies, settings
from services.runtime.policies import Section
from services.runtime.settings import Settings, SettingsError
from tests.deploy.manifests import GETS, Manifests, probes

KUBERNETES = ROOT / "deploy" / "kubernetes"
BASE = Manifests(KUBERNETES / "base")


def test_nothing_is_wrong_with_the_base() -> None:
    assert BASE.problems() == []


@pytest.mark.parametrize(
    ("file", "there", "instead", "problem"),
    [
        ("kustomization.yaml", "  - network.yaml\n", "", "network.yaml is there and not named"),
        ("kustomization.yaml", "network.yaml", "nets.yaml", "nets.yaml is named and not there"),
        ("settings.env", "OFFRAMP_KAFKA=", "OFFRAMP_BROKER=", "lifecycle: OFFRAMP_BROKER is not a setting"),
        ("console.yaml", "OFFRAMP_REFUNDS_URL", "OFFRAMP_REFUND_URL", "console: OFFRAMP_REFUND_URL is not a setting"),
        ("prepare.yaml", "OFFRAMP_CONSOLE_PASSWORD_FILE", "OFFRAMP_CONSOLE_FILE", "prepare: OFFRAMP_CONSOLE_FILE is not a setting"),
        ("refunds.yaml", "/run/secrets/provider_key", "/provider_key", "refunds: OFFRAMP_PROVIDER_KEY_FILE is not among the secrets"),
        ("notifier.yaml", "services.notifier]", "services.mailer]", "notifier: there is no module services.mailer"),
        ("notifier.yaml", "name: offramp-notifier", "name: offramp-refunds", "notifier: has the secrets of ['offramp-refunds']"),
        ("console.yaml", "serviceAccountName: console", "serviceAccountName: default", "console: runs as default"),
        ("lifecycle.yaml", "- name: offramp\n", "- name: lifecycle\n", "lifecycle: a container of another name is not hardened"),
        ("lifecycle.yaml", "containerPort: 8101", "containerPort: 8102", "lifecycle: its pages are on 8101, not [8102]"),
        ("refunds.yaml", "port: 8102, target", "port: 80, target", "Service refunds: "),
        ("network.yaml", "port: 8103", "port: 8104", "the command line can't reach all pages"),
        ("console.yaml", "containerPort: 8104", "containerPort: 8101", "console: its pages are on 8104, not [8101]"),
        (
            "console.yaml",
            "kind: PodDisruptionBudget\nmetadata: {name: console}",
            "kind: PodDisruptionBudget\nmetadata: {name: x}",
            "console may go all at once",
        ),
        ("webhooks.yaml", "path: /webhooks/provider", "path: /", "Ingress webhooks lets in [('/', 'Exact', 'refunds')]"),
        ("webhooks.yaml", "pathType: Exact", "pathType: Prefix", "Ingress webhooks lets in "),
        ("webhooks.yaml", "hosts: [offramp.invalid]", "hosts: []", "Ingress webhooks: not every host has a certificate"),
        ("webhooks.yaml", "ports: [{protocol: TCP, port: pages}]", "ports: []", "NetworkPolicy webhooks lets everybody in, or everywhere"),
        ("monitoring.yaml", "/metrics", "/metrix", "there is no page /metrix"),
        ("scaling.yaml", "topic: refund.request.v1", "topic: refund.requests.v1", "refunds is scaled by refund.requests.v1"),
        (
            "scaling.yaml",
            "offramp.lifecycle.subscription.request.v1",
            "offramp.lifecycle",
            "lifecycle is not scaled by subscription.request.v1",
        ),
        ("scaling.yaml", "maxReplicaCount: 6", "maxReplicaCount: 7", "notifier: more than one process for a partition"),
        ("scaling.yaml", "scaleTargetRef: {name: notifier}", "scaleTargetRef: {name: refunds}", "notifier is not scaled"),
    ],
)
def test_what_is_wrong_is_found(tmp_path: Path, file: str, there: str, instead: str, problem: str) -> None:
    base = Path(shutil.copytree(BASE.directory, tmp_path / "base"))
    text = (base / file).read_text()
    assert there in text
    (base / file).write_text(text.replace(there, instead))
    assert [each for each in Manifests(base).problems() if each.startswith(problem)]


@pytest.mark.parametrize(("name", "environment"), list(BASE.environments()))
def test_every_container_is_told_what_it_can_start_with(
    name: str, environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = _load(environment, tmp_path, monkeypatch)
    role = {"prepare": "postgres"}.get(name, f"offramp_{name}")
    assert told.postgres.get_secret_value() == f"postgresql://{role}@postgres:5432/offramp"
    assert told.kafka_user == {"prepare": "admin"}.get(name, name)
    assert told.postgres_password is not None


def test_a_container_that_could_not_start_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = dict(BASE.environments())["lifecycle"] | {"OFFRAMP_KAFKA": "kafka"}
    with pytest.raises(SettingsError, match="OFFRAMP_KAFKA: must be host:port"):
        _load(environment, tmp_path, monkeypatch)


def _load(environment: dict[str, str], secrets: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings as the container reads them; the certificates are somebody else's test."""
    for variable, value in environment.items():
        if variable.endswith("_FILE"):
            file = secrets / Path(value).name
            file.write_text("secret\n")
            monkeypatch.setenv(variable, str(file))
        elif variable.startswith("OFFRAMP_") and not variable.endswith("_CA"):
            monkeypatch.setenv(variable, value)
    return settings.load()


def test_the_console_serves_and_its_probes_ask_for_its_own_health_alone() -> None:
    (console,) = [each for each in BASE.of("Deployment") if each["metadata"]["name"] == "console"]
    (container,) = console["spec"]["template"]["spec"]["containers"]
    assert container["command"] == ["offramp", "serve"]
    assert probes(container) == {"/healthz"}
    assert "OFFRAMP_CLOCK" not in dict(BASE.environments())["console"]


def test_only_refunds_gets_to_know_what_webhooks_are_signed_with() -> None:
    knows = [name for name, environment in BASE.environments() if "OFFRAMP_PROVIDER_WEBHOOK_SECRETS_FILE" in environment]
    assert knows == ["refunds"]


def test_the_examples_door_is_the_same_under_a_name_of_its_own() -> None:
    (door,) = [each for each in yaml.safe_load_all((KUBERNETES / "example" / "webhooks.yaml").read_text()) if each["kind"] == "Ingress"]
    (ours,) = BASE.of("Ingress")
    assert door["spec"]["rules"][0]["http"] == ours["spec"]["rules"][0]["http"]
    assert door["metadata"]["name"] == ours["metadata"]["name"]
    assert "offramp.invalid" not in str(door)


def test_probes_ask_for_pages_and_a_stop_may_drain() -> None:
    pod = yaml.safe_load((BASE.directory / "service.yaml").read_text())["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert probes(container) == {"/healthz", "/readyz"} <= GETS
    assert pod["terminationGracePeriodSeconds"] > Settings().stop_timeout + 10
    startup = container["startupProbe"]
    assert startup["periodSeconds"] * startup["failureThreshold"] > Settings().start_timeout


def test_the_examples_own_settings_are_settings_and_its_files_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    example = Manifests(KUBERNETES / "example")
    assert list(example._files()) == []
    for variable, value in example.settings.items():
        if variable.startswith("OFFRAMP_"):
            monkeypatch.setenv(variable, value)
    assert settings.load().smtp_tls == "starttls"


@pytest.mark.parametrize(("section", "model"), [("lifecycle", LifecyclePolicy), ("refunds", RefundsPolicy), ("notifier", NotifierPolicy)])
def test_the_examples_policy_is_one(section: str, model: type[Section]) -> None:
    policies.read(KUBERNETES / "example" / "policy.yaml", section, model)
