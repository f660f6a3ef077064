#!/usr/bin/env bash
# Renders base and overlays and validates them offline: schemas of two Kubernetes versions, our own
# rules, and every process is asked whether it takes the settings of its pod.
set -euo pipefail
cd "$(dirname "$0")/.."

command -v kubectl >/dev/null || { echo "kubectl is missing; Debian's is too old for these manifests. Install 1.27 or newer: https://kubernetes.io/docs/tasks/tools" >&2; exit 1; }
programs=${PROGRAMS:-target/debug}
environment=target/manifests/venv
if [ ! -x "$environment/bin/kubernetes-validate" ]; then
    echo "Installing kubernetes-validate (schemas of Kubernetes) into $environment"
    python3 -m venv "$environment"
    "$environment/bin/pip" install --quiet --disable-pip-version-check kubernetes-validate==1.37.0
fi

for folder in k8s/base k8s/overlays/*/; do
    name=$(basename "$folder")
    rendered="target/manifests/$name.yaml"
    kubectl kustomize "$folder" > "$rendered"
    for version in 1.32 1.37; do
        "$environment/bin/kubernetes-validate" --strict --kubernetes-version "$version" "$rendered" > "target/manifests/$name.log" 2>&1 \
            || { grep -v passed "target/manifests/$name.log" >&2; exit 1; }
    done
    "$environment/bin/python" k8s/policy.py "$rendered"
    echo "$name: $(grep -c '^kind:' "$rendered") objects valid"
done
"$environment/bin/python" deploy/try_settings.py "$programs" target/manifests/*.yaml deploy/compose.yaml
echo "every process takes the settings of its pod and of its container"
