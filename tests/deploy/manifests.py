"""What is wrong with the Kubernetes manifests of a directory, as far as it can be told without Kubernetes."""

import importlib.util
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from offramp_schemas import inputs_of
from services.console import serve
from services.refunds.webhooks import PATH
from services.runtime.app import PORTS
from services.runtime.intake import group_of
from services.runtime.pages import Pages
from services.runtime.settings import PREFIX, SECRETS, Settings

Document = dict[str, Any]
VARIABLES = {f"{PREFIX}{name}".upper() for name in Settings.model_fields} | {f"{PREFIX}{name}_FILE".upper() for name in SECRETS}
LISTENS = PORTS | {"console": serve.PORT}
GETS = {route.path for route in Pages(lambda: None).routes() if route.method == "GET"}


class Manifests:
    """Everything of one directory with a kustomization.yaml."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.kustomization: Document = yaml.safe_load((directory / "kustomization.yaml").read_text())
        files = [directory / name for name in self.kustomization["resources"] if (directory / name).is_file()]
        self.documents: list[Document] = [each for file in files for each in yaml.safe_load_all(file.read_text()) if each]

    def of(self, *kinds: str) -> list[Document]:
        """The documents of these kinds."""
        return [each for each in self.documents if each["kind"] in kinds]

    @property
    def settings(self) -> dict[str, str]:
        """What every container is told."""
        lines = (self.directory / "settings.env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))

    def environments(self) -> Iterator[tuple[str, dict[str, str]]]:
        """The variables of each container, as Kubernetes puts them together, by the name of what runs it."""
        for each in self.of("Deployment", "Job"):
            (container,) = each["spec"]["template"]["spec"]["containers"]
            own = {pair["name"]: pair["value"] for pair in container["env"]}
            yield each["metadata"]["name"], _expanded(self.settings | own)

    def problems(self) -> list[str]:
        """One line each; none: nothing was found."""
        return [*self._files(), *self._variables(), *self._workloads(), *self._ports(), *self._doors(), *self._scaling()]

    def _files(self) -> Iterator[str]:
        generated = [generator.get(kind, []) for generator in self.kustomization["configMapGenerator"] for kind in ("envs", "files")]
        named = {*self.kustomization["resources"], *(each["path"] for each in self.kustomization["patches"])}
        named |= {file for files in generated for file in files}
        yield from (f"{name} is named and not there" for name in sorted(named) if not (self.directory / name).exists())
        there = {file.name for file in self.directory.iterdir()} - {"kustomization.yaml"}
        yield from (f"{name} is there and not named" for name in sorted(there - named))

    def _variables(self) -> Iterator[str]:
        for name, environment in self.environments():
            ours = {variable for variable in environment if variable.startswith(PREFIX)}
            yield from (f"{name}: {variable} is not a setting" for variable in sorted(ours - VARIABLES))
            for variable in ours & {f"{PREFIX}{secret}_FILE".upper() for secret in SECRETS}:
                if not environment[variable].startswith("/run/secrets/"):
                    yield f"{name}: {variable} is not among the secrets"

    def _workloads(self) -> Iterator[str]:
        for each in self.of("Deployment", "Job"):
            name, pod = each["metadata"]["name"], each["spec"]["template"]["spec"]
            (container,) = pod["containers"]
            command = container["command"]
            if command[0] == "python" and importlib.util.find_spec(command[2]) is None:
                yield f"{name}: there is no module {command[2]}"
            if container["name"] != "offramp":
                yield f"{name}: a container of another name is not hardened"
            secrets = [source["secret"]["name"] for source in pod["volumes"][0]["projected"]["sources"] if "secret" in source]
            if secrets != [f"offramp-{name}"]:
                yield f"{name}: has the secrets of {secrets}"
            if pod["serviceAccountName"] != name:
                yield f"{name}: runs as {pod['serviceAccountName']}"

    def _ports(self) -> Iterator[str]:
        for each in self.of("Deployment"):
            name, (container,) = each["metadata"]["name"], each["spec"]["template"]["spec"]["containers"]
            ports = [port["containerPort"] for port in container.get("ports", ())]
            if ports != [LISTENS[name]]:
                yield f"{name}: its pages are on {LISTENS[name]}, not {ports}"
        for each in self.of("Service"):
            if each["spec"]["ports"][0]["port"] != LISTENS[each["metadata"]["name"]]:
                yield f"Service {each['metadata']['name']}: {each['spec']['ports']}"
        for each in self.of("PodMonitor"):
            yield from (f"there is no page {end['path']}" for end in each["spec"]["podMetricsEndpoints"] if end["path"] not in GETS)
        disrupted = {each["metadata"]["name"] for each in self.of("PodDisruptionBudget")}
        yield from (f"{name} may go all at once" for name in sorted(LISTENS.keys() - disrupted))
        of_the_console = [each["spec"]["egress"] for each in self.of("NetworkPolicy") if each["metadata"]["name"] == "console"]
        if {port["port"] for rules in of_the_console for rule in rules for port in rule["ports"]} != set(PORTS.values()):
            yield "the command line can't reach all pages"

    def _doors(self) -> Iterator[str]:
        """Pages know no login: one path alone is for the outside, and who may come in is said for each."""
        for each in self.of("Ingress"):
            found = {(path["path"], path["pathType"], path["backend"]["service"]["name"])
                     for rule in each["spec"]["rules"] for path in rule["http"]["paths"]}  # fmt: skip
            if found != {(PATH, "Exact", "refunds")}:
                yield f"Ingress {each['metadata']['name']} lets in {sorted(found)}"
            hosts = {rule.get("host") for rule in each["spec"]["rules"]}
            if hosts != {host for tls in each["spec"].get("tls", ()) for host in tls["hosts"]}:
                yield f"Ingress {each['metadata']['name']}: not every host has a certificate"
        for each in self.of("NetworkPolicy"):
            for rule in each["spec"].get("ingress", ()):
                if not rule.get("from") or not rule.get("ports"):
                    yield f"NetworkPolicy {each['metadata']['name']} lets everybody in, or everywhere"

    def _scaling(self) -> Iterator[str]:
        scaled = {each["spec"]["scaleTargetRef"]["name"]: each["spec"] for each in self.of("ScaledObject")}
        yield from (f"{name} is not scaled" for name in sorted(PORTS.keys() - scaled.keys()))
        for name, spec in scaled.items():
            found = {(trigger["metadata"]["topic"], trigger["metadata"]["consumerGroup"]) for trigger in spec["triggers"]}
            wanted = {(topic.name, group_of(name, topic)) for topic in inputs_of(name)}
            yield from (f"{name} is scaled by {topic} of {group}, which it does not read" for topic, group in sorted(found - wanted))
            yield from (f"{name} is not scaled by {topic}" for topic, _ in sorted(wanted - found))
            if spec["maxReplicaCount"] > min(topic.partitions for topic in inputs_of(name)):
                yield f"{name}: more than one process for a partition"


def _expanded(environment: Mapping[str, str]) -> dict[str, str]:
    """`$(X)` stands for another variable."""
    return {name: re.sub(r"\$\((\w+)\)", lambda found: environment[found[1]], value) for name, value in environment.items()}


def probes(container: Mapping[str, Any]) -> set[str]:
    """The pages that Kubernetes asks for."""
    return {container[name]["httpGet"]["path"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
