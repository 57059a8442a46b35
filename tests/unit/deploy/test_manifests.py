"""Manifests of Docker and Kubernetes against the code."""

import re
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from typer.main import get_command

from koebin.producers.cli import app
from koebin.tasks.settings import Settings

ROOT = Path(__file__).parents[3]
KUBERNETES = ROOT / "deploy/kubernetes"
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
FILES = [ROOT / "compose.yaml", *sorted((ROOT / "docker").glob("*.Dockerfile")), *sorted(KUBERNETES.rglob("*.yaml"))]
DOCUMENTS = [
    document
    for path in sorted(KUBERNETES.rglob("*.yaml"))
    for document in yaml.safe_load_all(path.read_text())
    if document and "kind" in document
]
DEPLOYMENTS = [document for document in DOCUMENTS if document["kind"] == "Deployment"]
# Variables of compose.yaml itself.
OURS = {"KOEBIN_IMAGE", "KOEBIN_CUDA_IMAGE", "KOEBIN_GPU_SPEAKERS"}


def options(command: str) -> set[str]:
    return {
        flag
        for parameter in get_command(app).commands[command].params
        for flag in parameter.opts + parameter.secondary_opts
    }


def check_command(arguments: list[str]) -> None:
    command, *rest = arguments
    assert command in get_command(app).commands, command
    assert {argument for argument in rest if argument.startswith("--")} <= options(command), arguments


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_variable_is_a_setting(path):
    known = {f"KOEBIN_{name.upper()}" for name in Settings.model_fields} | OURS
    assert set(re.findall(r"\bKOEBIN_[A-Z0-9_]+\b", path.read_text())) <= known


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda deployment: deployment["metadata"]["name"])
def test_a_deployment_runs_commands_that_exist_without_rights_on_a_read_only_root(deployment):
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    check_command(container["args"])
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        if "exec" in container.get(probe, {}):
            koebin, *arguments = container[probe]["exec"]["command"]
            assert koebin == "koebin"
            check_command(arguments)
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_a_pod_outlives_its_grace_period():
    base = yaml.safe_load((KUBERNETES / "base/kustomization.yaml").read_text())
    literals = dict(literal.split("=", 1) for literal in base["configMapGenerator"][0]["literals"])
    for deployment in DEPLOYMENTS:
        if deployment["spec"]["template"]["spec"]["containers"][0]["args"][0] == "worker":
            grace = deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
            assert grace >= float(literals["KOEBIN_GRACE_PERIOD"]) + 15, "ten seconds are left for the last sentence"


def test_every_deployment_of_workers_has_a_disruption_budget():
    budgets = {
        document["spec"]["selector"]["matchLabels"]["app.kubernetes.io/component"]
        for document in DOCUMENTS
        if document["kind"] == "PodDisruptionBudget"
    }
    workers = [
        deployment["metadata"]["name"].removeprefix("koebin-")
        for deployment in DEPLOYMENTS
        if deployment["spec"]["template"]["spec"]["containers"][0]["args"][0] == "worker"
    ]
    assert set(workers) <= budgets


def test_the_autoscalers_name_what_there_is(monkeypatch):
    import koebin.producers.commands.backlog as command
    from koebin.tasks.jobs.backlog import Backlog

    (scaled,) = [document for document in DOCUMENTS if document["kind"] == "ScaledObject"]
    (trigger,) = scaled["spec"]["triggers"]
    monkeypatch.setattr(command, "backlog", lambda _: {"mei": Backlog("mei", {6: 60.0}, 1, 4.0)})
    for count in ("assembling", "count_unreadable", "count_delayed"):
        monkeypatch.setattr(command, count, lambda _: 0)
    monkeypatch.setattr(command, "DeadLetters", lambda _: SimpleNamespace(count=lambda: 0))
    found = command.describe(None)
    for name in trigger["metadata"]["valueLocation"].split("."):
        found = found[name]
    assert found == 15.0
    names = {deployment["metadata"]["name"] for deployment in DEPLOYMENTS}
    targets = {
        document["spec"]["scaleTargetRef"]["name"]
        for document in DOCUMENTS
        if document["kind"] in ("ScaledObject", "HorizontalPodAutoscaler")
    }
    assert targets <= names
    text = (KUBERNETES / "overlays/hpa-backlog/hpa.yaml").read_text()
    (external,) = re.findall(r"^          name: (koebin_\w+)$", text, re.MULTILINE)
    assert f"# TYPE {external} gauge" in command.metrics(command.describe(None))
    service = next(document for document in DOCUMENTS if document["kind"] == "Service")
    assert f"http://{service['metadata']['name']}:{service['spec']['ports'][0]['port']}/" in trigger["metadata"]["url"]


def test_every_alert_says_what_to_do_and_is_in_the_guide_and_tested():
    rules = yaml.safe_load((ROOT / "deploy/monitoring/alerts.yml").read_text())["groups"][0]["rules"]
    tested = yaml.safe_load((ROOT / "deploy/monitoring/alerts_test.yml").read_text())["tests"]
    names = {rule["alert"] for rule in rules}
    guide = (ROOT / "docs/operations.md").read_text()
    assert all(rule["annotations"]["action"] for rule in rules)
    assert names == {case["alertname"] for test in tested for case in test["alert_rule_test"]}
    assert names <= set(re.findall(r"`(Koebin\w+)`", guide))


def test_prometheus_finds_the_workers_where_they_serve():
    jobs = yaml.safe_load((ROOT / "deploy/monitoring/prometheus.yml").read_text())["scrape_configs"]
    (workers,) = (job["dns_sd_configs"][0] for job in jobs if job["job_name"] == "koebin-workers")
    port = str(workers["port"])
    for name in workers["names"]:
        environment = COMPOSE["services"][name]["environment"]
        assert (environment["KOEBIN_METRICS_PORT"], environment["KOEBIN_METRICS_HOST"]) == (port, "0.0.0.0")
    base = yaml.safe_load((KUBERNETES / "base/kustomization.yaml").read_text())
    assert f"KOEBIN_METRICS_PORT={port}" in base["configMapGenerator"][0]["literals"]
    for deployment in DEPLOYMENTS:
        template = deployment["spec"]["template"]
        if template["spec"]["containers"][0]["args"][0] == "worker":
            assert template["metadata"]["annotations"]["prometheus.io/port"] == port
            assert template["spec"]["containers"][0]["ports"] == [{"name": "metrics", "containerPort": int(port)}]


def test_compose_runs_commands_that_exist_and_keeps_the_queue():
    for service in COMPOSE["services"].values():
        if str(service["image"]).startswith("${KOEBIN_") and "entrypoint" not in service:
            check_command(service["command"])
            assert service["read_only"]
    redis = COMPOSE["services"]["redis"]["command"]
    assert redis[redis.index("--maxmemory-policy") + 1] == "noeviction"
    assert redis[redis.index("--appendonly") + 1] == "yes"


def test_nothing_but_this_machine_reaches_what_compose_publishes():
    ports = [port for service in COMPOSE["services"].values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


@pytest.mark.parametrize("path", sorted((ROOT / "docker").glob("*.Dockerfile")), ids=lambda path: path.name)
def test_an_image_runs_without_rights_and_says_how_it_is(path):
    text = path.read_text()
    runtime = text[text.index(" AS runtime") :]
    assert re.search(r"^ARG BASE_IMAGE=\S+@sha256:[0-9a-f]{64}$", text, re.MULTILINE)
    assert re.search(r"^USER \d+:\d+$", runtime, re.MULTILINE)
    assert 'CMD ["koebin", "health"]' in runtime
    assert "apt-get" not in runtime
    assert "secret" not in runtime
    for match in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE):
        for source in match.split()[:-1]:
            assert (ROOT / source).exists(), source


def test_the_version_is_pyprojects_everywhere():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    for path in (ROOT / "docker").glob("*.Dockerfile"):
        assert f"ARG VERSION={version}\n" in path.read_text()
    for path in KUBERNETES.rglob("kustomization.yaml"):
        assert all(tag == version for tag in re.findall(r"newTag: c\w+-(\S+)", path.read_text()))
    changes = (ROOT / "CHANGELOG.md").read_text()
    released = re.findall(r"^## \[?(\d[^] ]*)", changes, re.MULTILINE)
    assert released[:1] == [version] or (not released and f"The first release will be {version}." in changes)


SECRETS = {
    deployment["metadata"]["name"]: [
        source["secretRef"]["name"]
        for container in deployment["spec"]["template"]["spec"]["containers"]
        for source in container["envFrom"]
        if "secretRef" in source
    ]
    for deployment in DEPLOYMENTS
}


def test_every_workload_has_a_secret_of_its_own():
    assert {len(names) for names in SECRETS.values()} == {1}
    assert len({name for names in SECRETS.values() for name in names}) == len(SECRETS)
    guide = (KUBERNETES / "README.md").read_text()
    assert all(f"`{name}`" in guide for names in SECRETS.values() for name in names)


def test_every_service_of_compose_can_have_logins_of_its_own():
    logins = [
        service["environment"]["KOEBIN_BROKER_URL"]
        for name, service in COMPOSE["services"].items()
        if str(service["image"]).startswith("${KOEBIN_") and name != "bucket"
    ]
    assert len(set(logins)) == len(logins)


def test_every_pod_is_behind_a_network_policy():
    policies = [document["spec"] for document in DOCUMENTS if document["kind"] == "NetworkPolicy"]
    everything = [spec for spec in policies if set(spec["policyTypes"]) == {"Ingress", "Egress"}]
    (closed,) = everything
    assert closed["ingress"] == []
    labels = closed["podSelector"]["matchLabels"]
    (given,) = yaml.safe_load((KUBERNETES / "base/kustomization.yaml").read_text())["labels"]
    assert labels.items() <= given["pairs"].items()
    assert given["includeTemplates"] or given["includeSelectors"]


def test_a_release_has_provenance_and_bills_of_materials_with_the_least_rights():
    text = (ROOT / ".github/workflows/release.yml").read_text()
    release = yaml.safe_load(text)
    jobs, steps = release["jobs"], [step for job in release["jobs"].values() for step in job["steps"]]
    assert release["permissions"] == {}
    writing = {
        name: {right for right, kind in job["permissions"].items() if kind == "write"} for name, job in jobs.items()
    }
    assert writing == {
        "package": set(),
        "attest": {"id-token", "attestations"},
        "publish": {"id-token"},
        "images": {"packages", "id-token", "attestations"},
    }
    assert all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", step["uses"]) for step in steps if "uses" in step)
    for wanted in ("--sbom=true", "--provenance=mode=max", "subject-digest", "pip-audit", "SHA256SUMS"):
        assert wanted in text
    # What the runner expands in a script could be anybody's code: it comes by variables.
    assert not any("${{" in step.get("run", "") for step in steps)


def test_the_workflow_runs_what_there_is_with_actions_that_cannot_change():
    text = (ROOT / ".github/workflows/ci.yml").read_text()
    workflow = yaml.safe_load(text)
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    assert all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", step["uses"]) for step in steps if "uses" in step)
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    made = {step["run"].removeprefix("make ") for step in steps if step.get("run", "").startswith("make ")}
    assert {"demo", "test", "package"} <= made <= targets
    for script in re.findall(r"(?:deploy|docker)/\w+\.sh", text):
        assert (ROOT / script).exists()
