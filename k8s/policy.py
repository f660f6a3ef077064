"""Our own rules over rendered manifests: what a schema cannot say.

Restricted Pod Security, distinct probes, budgets that add up, references that exist.
"""

import pathlib
import re
import sys
import tomllib

import yaml

# The server's max_connections that the documentation asks for; what is left for migrations, people and the operator.
CONNECTIONS_MAX = 200
CONNECTIONS_KEPT = 20
ROOT = pathlib.Path(__file__).resolve().parent.parent


def main(path):
    objects = [found for found in yaml.safe_load_all(pathlib.Path(path).read_text()) if found]
    rules = [pod_security, probes, grace, references, secrets, disruption, connections, settings, policies]
    mistakes = [f"{rule.__name__}: {mistake}" for rule in rules for mistake in rule(objects)]
    for mistake in mistakes:
        print(f"{path}: {mistake}", file=sys.stderr)
    return 1 if mistakes else 0


def of_kind(objects, *kinds):
    return [found for found in objects if found["kind"] in kinds]


def pods(objects):
    for found in of_kind(objects, "Deployment", "Job"):
        yield found["metadata"]["name"], found["kind"], found["spec"]["template"]["spec"]


def containers(objects):
    for name, kind, pod in pods(objects):
        for container in pod["containers"]:
            yield name, kind, pod, container


def pod_security(objects):
    for name, _, pod, container in containers(objects):
        context, own = pod.get("securityContext", {}), container.get("securityContext", {})
        wanted = {
            "runAsNonRoot": context.get("runAsNonRoot") is True,
            "a user id above 10000": context.get("runAsUser", 0) > 10000,
            "seccomp RuntimeDefault": context.get("seccompProfile", {}).get("type") == "RuntimeDefault",
            "no privilege escalation": own.get("allowPrivilegeEscalation") is False,
            "a read-only root": own.get("readOnlyRootFilesystem") is True,
            "no capabilities": own.get("capabilities", {}).get("drop") == ["ALL"],
            "no service account token": pod.get("automountServiceAccountToken") is False,
            "a memory limit": "memory" in container.get("resources", {}).get("limits", {}),
            "requests for cpu and memory": {"cpu", "memory"} <= set(container.get("resources", {}).get("requests", {})),
        }
        yield from (f"{name} lacks {what}" for what, holds in wanted.items() if not holds)
        for variable in container.get("env", []):
            secret = re.search(r"PASSWORD|SECRET|KEY|TOKEN", variable["name"])
            if secret and not variable["name"].endswith("_FILE") and "value" in variable:
                yield f"{name} has a secret in the environment: {variable['name']}"


def probes(objects):
    for name, kind, _, container in containers(objects):
        if kind != "Deployment":
            continue
        paths = {probe: container.get(probe, {}).get("httpGet", {}).get("path") for probe in ("livenessProbe", "readinessProbe", "startupProbe")}
        if None in paths.values():
            yield f"{name} lacks a probe: {paths}"
        if paths["livenessProbe"] == paths["readinessProbe"]:
            yield f"{name} asks liveness and readiness the same question"


def grace(objects):
    for name, kind, pod, container in containers(objects):
        if kind != "Deployment":
            continue
        defaults = tomllib.loads((ROOT / "services" / name / "default.toml").read_text())["process"]
        before = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        needed = before + (defaults["drain_delay_ms"] + defaults["stop_timeout_ms"]) / 1000 + 5
        if needed > pod.get("terminationGracePeriodSeconds", 30):
            yield f"{name} needs {needed:.0f} s to stop and has {pod.get('terminationGracePeriodSeconds', 30)}"


def references(objects):
    accounts = {found["metadata"]["name"] for found in of_kind(objects, "ServiceAccount")}
    maps = {found["metadata"]["name"] for found in of_kind(objects, "ConfigMap")}
    for name, _, pod, container in containers(objects):
        if pod.get("serviceAccountName") not in accounts:
            yield f"{name} names a service account that is not there"
        for source in container.get("envFrom", []):
            if "configMapRef" in source and source["configMapRef"]["name"] not in maps:
                yield f"{name} reads settings that are not there"
    ports = {
        name: {port["name"]: port["containerPort"] for port in container.get("ports", [])}
        for name, _, _, container in containers(objects)
    }
    for service in of_kind(objects, "Service"):
        name = service["spec"]["selector"]["app.kubernetes.io/name"]
        for port in service["spec"]["ports"]:
            if port["targetPort"] not in ports.get(name, {}):
                yield f"service {service['metadata']['name']} sends to a port {name} does not have: {port['targetPort']}"


def secrets(objects):
    """A pod mounts exactly the secret files that its settings name."""
    for name, _, pod, container in containers(objects):
        named = {variable["value"].rsplit("/", 1)[-1] for variable in container.get("env", []) if variable["name"].endswith("_FILE")}
        mounted = set()
        for volume in pod.get("volumes", []):
            sources = [volume.get("secret")] + [source.get("secret") for source in volume.get("projected", {}).get("sources", [])]
            mounted |= {item["path"] for source in sources if source for item in source.get("items", [{"path": "everything"}])}
        if named != mounted:
            yield f"{name} names {sorted(named)} and mounts {sorted(mounted)}"


def disruption(objects):
    budgets = {found["spec"]["selector"]["matchLabels"]["app.kubernetes.io/name"]: found["spec"] for found in of_kind(objects, "PodDisruptionBudget")}
    for found in of_kind(objects, "Deployment"):
        name, replicas = found["metadata"]["name"], found["spec"].get("replicas", 1)
        budget = budgets.get(name)
        if budget is None:
            yield f"{name} has no disruption budget"
        elif budget.get("minAvailable", 0) >= replicas:
            yield f"{name}: minAvailable {budget['minAvailable']} of {replicas} replicas blocks every node drain"


def connections(objects):
    total = 0
    for found in of_kind(objects, "Deployment"):
        file = ROOT / "services" / found["metadata"]["name"] / "default.toml"
        defaults = tomllib.loads(file.read_text())
        # One more per process for LISTEN. A rollout has one pod more than replicas.
        pool = defaults.get("database", {}).get("pool_size", 0) + defaults.get("tasks", {}).get("engine_pool_size", 0)
        total += (found["spec"].get("replicas", 1) + 1) * (pool + 1 if pool else 0)
    if total > CONNECTIONS_MAX - CONNECTIONS_KEPT:
        yield f"pools may open {total} connections; the server keeps {CONNECTIONS_MAX - CONNECTIONS_KEPT} for them"


def settings(objects):
    """Every YOUTILITY_ variable must be a key of the service's default.toml."""
    maps = {found["metadata"]["name"]: found.get("data") or {} for found in of_kind(objects, "ConfigMap")}
    for name, kind, _, container in containers(objects):
        file = ROOT / ("crates/cli" if kind == "Job" else f"services/{name}") / "default.toml"
        defaults = tomllib.loads(file.read_text())
        names = [variable["name"] for variable in container.get("env", [])]
        for source in container.get("envFrom", []):
            names += maps.get(source.get("configMapRef", {}).get("name"), {}).keys()
        for variable in names:
            if not known(defaults, variable):
                yield f"{name}: {variable} is no setting of {file.relative_to(ROOT)}"


def known(defaults, variable):
    place = defaults
    *sections, key = variable.removeprefix("YOUTILITY_").lower().split("__")
    for section in sections:
        place = place.get(section)
        if not isinstance(place, dict):
            return False
    return key in place or key.removesuffix("_file") in place


def policies(objects):
    names = {name for name, _, _ in pods(objects)}
    covered = {found["spec"]["podSelector"].get("matchLabels", {}).get("app.kubernetes.io/name") for found in of_kind(objects, "NetworkPolicy")}
    yield from (f"{name} has no network policy" for name in sorted(names - covered))
    for found in of_kind(objects, "NetworkPolicy"):
        for flow in found["spec"].get("ingress", []) + found["spec"].get("egress", []):
            for peer in flow.get("from", []) + flow.get("to", []):
                labels = peer.get("podSelector", {}).get("matchLabels", {})
                other = labels.get("app.kubernetes.io/name")
                if other and labels.get("app.kubernetes.io/part-of") != "outside" and other not in names:
                    yield f"policy {found['metadata']['name']} names {other}, which is not there"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
