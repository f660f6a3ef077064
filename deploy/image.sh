#!/usr/bin/env bash
# Builds the image's last stage with buildah: no engine, no base image. IMAGE_PROFILE=quick skips link-time optimisation.
set -euo pipefail
cd "$(dirname "$0")/.."

profile="${IMAGE_PROFILE:-image}"
command -v buildah >/dev/null || { echo "buildah is missing: apt-get install buildah" >&2; exit 1; }
cargo build --locked --profile "$profile" --bins
rm -rf target/image-root
sh deploy/image-root.sh "target/$profile" target/image-root

options=(--storage-driver vfs --root "$PWD/target/buildah/root" --runroot "$PWD/target/buildah/run")
container=$(buildah "${options[@]}" from scratch)
buildah "${options[@]}" copy --quiet "$container" target/image-root /
buildah "${options[@]}" config --user 65532:65532 --workingdir / --env PATH=/usr/local/bin --cmd '["youtility", "--help"]' "$container"
buildah "${options[@]}" commit --quiet --timestamp 0 "$container" youtility
buildah "${options[@]}" push --quiet youtility oci-archive:target/image.oci:youtility
buildah "${options[@]}" rm "$container" >/dev/null
du -h target/image.oci
