#!/bin/sh
# Lays the root folder of the image: sh deploy/image-root.sh FOLDER_WITH_BINARIES TARGET
set -eu

binaries="$1"
root="$2"

mkdir -p "$root/usr/local/bin" "$root/etc/ssl/certs" "$root/tmp"
chmod 1777 "$root/tmp"
for name in gateway auth web worker mqtt-bridge health youtility; do
    cp "$binaries/$name" "$root/usr/local/bin/$name"
done
# The loader and the shared libraries, at the paths the binaries look for them.
for library in $(ldd "$binaries"/gateway "$binaries"/auth "$binaries"/web "$binaries"/worker "$binaries"/mqtt-bridge "$binaries"/health "$binaries"/youtility |
    grep -oE '/[^ ]+\.so[^ ]*' | sort -u); do
    mkdir -p "$root$(dirname "$library")"
    cp -L "$library" "$root$library"
done
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
echo 'youtility:x:65532:65532::/:/none' > "$root/etc/passwd"
echo 'youtility:x:65532:' > "$root/etc/group"
echo 'hosts: files dns' > "$root/etc/nsswitch.conf"
