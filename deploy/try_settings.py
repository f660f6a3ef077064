"""Gives every process the settings of its pod or container and asks it whether they are right (`config check`).

Usage: try_settings.py FOLDER_WITH_PROGRAMS FILE...   (rendered manifests, or compose.yaml)
"""

import os
import pathlib
import re
import secrets
import subprocess
import sys
import tempfile

import yaml

# Variables that compose asks the operator for.
ASKED = {"SMTP_HOST": "relay.test", "MAIL_FROM": "Youtility <no-reply@youtility.test>", "PUBLIC_URL": "https://youtility.test", "TRUSTED_PROXIES": "10.0.0.0/8"}


def main(programs, *files):
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        write_keys(folder)
        for file in files:
            for name, environment in processes(file):
                failed += refuses(file, pathlib.Path(programs) / name, with_secrets(environment, folder))
    return 1 if failed else 0


def refuses(file, program, environment):
    command = [program, "config", "check"]
    outcome = subprocess.run(command, env={"PATH": os.environ["PATH"], **environment}, capture_output=True, text=True, timeout=30)
    if outcome.returncode != 0:
        print(f"{file}: {program.name} refuses its settings: {outcome.stderr.strip()}", file=sys.stderr)
    return outcome.returncode != 0


def processes(file):
    """Name and environment of every service a file starts."""
    documents = [found for found in yaml.safe_load_all(pathlib.Path(file).read_text()) if found]
    if "services" in documents[0]:
        yield from containers(documents[0])
    else:
        yield from pods(documents)


def containers(compose):
    for name, service in compose["services"].items():
        if service.get("command") == [name]:
            yield name, {key: asked(str(value)) for key, value in service["environment"].items()}


def asked(value):
    return re.sub(r"\$\{(\w+)[:?-][^}]*\}", lambda found: ASKED.get(found[1], ""), value)


def pods(objects):
    maps = {found["metadata"]["name"]: found.get("data") or {} for found in objects if found["kind"] == "ConfigMap"}
    for found in objects:
        if found["kind"] != "Deployment":
            continue
        for container in found["spec"]["template"]["spec"]["containers"]:
            environment = {}
            for source in container.get("envFrom", []):
                environment |= maps[source["configMapRef"]["name"]]
            environment |= {variable["name"]: variable["value"] for variable in container.get("env", [])}
            yield found["metadata"]["name"], environment


def with_secrets(environment, folder):
    """What the kubelet or compose would mount, with secrets of our own."""
    for name, value in environment.items():
        if name.endswith("_FILE"):
            file = folder / value.rsplit("/", 1)[-1]
            if not file.exists():
                file.write_text(secrets.token_urlsafe(48))
            environment[name] = str(file)
    return environment


def write_keys(folder):
    private, public = folder / "identity-private.pem", folder / "identity-public.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", private], check=True, capture_output=True)
    subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out", public], check=True, capture_output=True)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
