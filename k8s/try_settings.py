"""Gives every process the settings of its rendered pod and asks it whether they are right (`config check`).

Usage: try_settings.py RENDERED FOLDER_WITH_PROGRAMS
"""

import os
import pathlib
import secrets
import subprocess
import sys
import tempfile

import yaml

from policy import containers, of_kind


def main(rendered, programs):
    objects = [found for found in yaml.safe_load_all(pathlib.Path(rendered).read_text()) if found]
    maps = {found["metadata"]["name"]: found.get("data") or {} for found in of_kind(objects, "ConfigMap")}
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        write_keys(pathlib.Path(folder))
        for name, kind, _, container in containers(objects):
            if kind == "Job":
                continue
            outcome = subprocess.run(
                [pathlib.Path(programs) / name, "config", "check"],
                env={"PATH": os.environ["PATH"], **environment(container, maps, folder)},
                capture_output=True,
                text=True,
                timeout=30,
            )
            if outcome.returncode != 0:
                failed += 1
                print(f"{rendered}: {name} refuses its settings: {outcome.stderr.strip()}", file=sys.stderr)
    return 1 if failed else 0


def environment(container, maps, folder):
    """What the kubelet would set, with secret files of our own."""
    found = {}
    for source in container.get("envFrom", []):
        found |= maps[source["configMapRef"]["name"]]
    for variable in container.get("env", []):
        value = variable["value"]
        if variable["name"].endswith("_FILE"):
            file = pathlib.Path(folder) / value.rsplit("/", 1)[-1]
            if not file.exists():
                file.write_text(secrets.token_urlsafe(48))
            value = str(file)
        found[variable["name"]] = value
    return found


def write_keys(folder):
    private, public = folder / "identity-private.pem", folder / "identity-public.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", private], check=True, capture_output=True)
    subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out", public], check=True, capture_output=True)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
