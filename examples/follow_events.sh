#!/bin/sh
# Follow what happens to a user's things. Sent again with the last id that came, it goes on after it.
#   follow_events.sh ORIGIN COOKIES [LAST_ID]      COOKIES: a file that `curl -c` wrote at signing in
set -eu
exec curl -sSN --max-time "${SECONDS_AT_MOST:-3600}" -b "$2" -H "Last-Event-ID: ${3:-0}" "$1/api/v1/events"
