#!/bin/sh
# Order a free session and download its package, with curl only.
set -eu
origin=${1:-http://localhost:8080}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

field() { # print the value of a member of flat JSON, which is enough for an example
  sed -n "s/.*\"$1\":\"\{0,1\}\([^\",}]*\).*/\1/p" | head -n 1
}
key() { od -An -N16 -tx1 /dev/urandom | tr -d ' \n'; }

# Create an account. The cookie signs in; every request that changes something also needs the CSRF token.
curl -sSf -c "$work/cookies" -H 'Content-Type: application/json' \
  -d "{\"identifier\": \"$(key)@example.ng\", \"password\": \"$(key)\"}" "$origin/api/v1/accounts" >"$work/account"
csrf=$(field csrf_token <"$work/account")

# Order a session. The second request has the same Idempotency-Key, so there is still only one session.
order_key=$(key)
for _ in 1 2; do
  curl -sSf -b "$work/cookies" -H "X-CSRF-Token: $csrf" -H "Idempotency-Key: $order_key" \
    -H 'Content-Type: application/json' -d "{\"offer_id\": \"${2:-free-1gb}\"}" "$origin/api/v1/sessions" >"$work/session"
  session=$(field session_id <"$work/session")
  echo "ordered $session"
done

# Wait until its package is signed, a moment later.
until [ "$(curl -sSf -b "$work/cookies" "$origin/api/v1/sessions/$session" | field state)" = packaged ]; do sleep 0.1; done

# Download the package: interrupted after 500 octets, then resumed.
url="$origin/api/v1/sessions/$session/package"
curl -sSf -b "$work/cookies" -r 0-499 -o "$work/package" "$url"
curl -sSf -b "$work/cookies" -C - -o "$work/package" "$url"
digest=$(sha256sum "$work/package" | cut -d' ' -f1)
curl -sSf -b "$work/cookies" -H "X-CSRF-Token: $csrf" -H "Idempotency-Key: $(key)" -H 'Content-Type: application/json' \
  -d "{\"sha256\": \"$digest\"}" "$url/../downloaded" >"$work/session"
echo "$(field state <"$work/session"): $(wc -c <"$work/package") octets, SHA-256 $digest"
