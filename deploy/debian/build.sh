#!/bin/sh
# Build the Debian package: sh deploy/debian/build.sh OUTPUT_DIRECTORY
#
# The package holds a virtual environment in /opt/kswifi with exactly the packages of requirements/runtime.txt, for the
# Python of this Debian. Build it on the Debian release and the machine architecture that it is for.
# Needs dpkg-deb and .venv (make setup).
set -eu
umask 022
cd "$(dirname "$0")/../.."
output=$(cd "${1:?usage: build.sh OUTPUT_DIRECTORY}" && pwd)
python=${PYTHON:-/usr/bin/python3}
uv="$PWD/.venv/bin/uv"
architecture=$(dpkg --print-architecture)
minor=$("$python" -c 'import sys; print(sys.version_info[1])')
: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct 2>/dev/null || date +%s)}"
# The instant of the commit orders two packages of one version: a later one is an upgrade.
version=$("$PWD/.venv/bin/python" -c 'import kswifi; print(kswifi.__version__)')+$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y%m%d%H%M%S)
export SOURCE_DATE_EPOCH UV_PYTHON_DOWNLOADS=never
[ -f /etc/ssl/certs/ca-certificates.crt ] && export UV_SYSTEM_CERTS=true

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
root=$scratch/root
home=$root/opt/kswifi
mkdir -p "$home" "$root/usr/bin" "$root/lib/systemd/system" "$root/usr/share/doc/kswifi" "$root/DEBIAN"

"$uv" venv --quiet --no-project --python "$python" "$home"
"$uv" pip install --quiet --python "$home/bin/python" --require-hashes -r requirements/runtime.txt
"$uv" build --quiet --wheel --no-build-isolation --python "$PWD/.venv/bin/python" --out-dir "$scratch" .
"$uv" pip install --quiet --python "$home/bin/python" --no-deps "$scratch"/kswifi-*.whl
# What names the place of the build: activation scripts, and the interpreter line of the commands.
rm -f "$home"/bin/activate* "$home"/bin/deactivate* "$home"/bin/pydoc* "$home"/.lock "$home"/.gitignore "$home"/CACHEDIR.TAG
find "$home/bin" -type f -exec grep -lI "^#!$home" {} + | while read -r script; do
  sed -i "1s|^#!$home|#!/opt/kswifi|" "$script"
done
find "$home" -name direct_url.json -delete
"$home/bin/python" -m compileall -q -j 0 --invalidation-mode unchecked-hash -s "$root" "$home/lib"
! grep -rIl "$scratch" "$home" || { echo 'the package names the place of its build' >&2; exit 1; }

ln -s /opt/kswifi/bin/kswifi "$root/usr/bin/kswifi"
install -D -m 755 deploy/debian/kswifi-admin "$root/usr/sbin/kswifi-admin"
install -m 644 deploy/systemd/*.service deploy/systemd/*.socket deploy/systemd/*.timer "$root/lib/systemd/system/"
install -D -m 640 deploy/debian/kswifi.env "$root/etc/kswifi/kswifi.env"
install -m 644 README.md CHANGELOG.md LICENSE "$root/usr/share/doc/kswifi/"
cp -R docs "$root/usr/share/doc/kswifi/docs"
cp -R deploy/monitoring "$root/usr/share/doc/kswifi/monitoring"
chmod -R u=rwX,go=rX "$root/usr/share/doc/kswifi" "$home"
for script in postinst prerm postrm; do install -m 755 "deploy/debian/$script" "$root/DEBIAN/$script"; done
echo /etc/kswifi/kswifi.env > "$root/DEBIAN/conffiles"
cat > "$root/DEBIAN/control" <<END
Package: kswifi
Version: $version
Architecture: $architecture
Maintainer: KSWiFi <root@localhost>
Section: net
Priority: optional
Installed-Size: $(du -sk "$root" | cut -f1)
Depends: python3 (>= 3.$minor), python3 (<< 3.$((minor + 1))), adduser, tzdata, ca-certificates
Description: download an internet session over WiFi, store it on the eSIM
 Server of KSWiFi: API and app, online charging (Gy), SM-DP+, ledger.
 Settings are in /etc/kswifi/kswifi.env, data in /var/lib/kswifi.
END
find "$root" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
dpkg-deb --root-owner-group -Zgzip --build "$root" "$output/kswifi_${version}_${architecture}.deb" >/dev/null
echo "$output/kswifi_${version}_${architecture}.deb"
