#!/bin/sh
# Follow the events of a user. Given the id of the last event received, it continues after that one.
#   follow_events.sh ORIGIN COOKIES [LAST_ID]      COOKIES: a file that `curl -c` has written when signing in
set -eu
exec curl -sSN --max-time "${SECONDS_AT_MOST:-3600}" -b "$2" -H "Last-Event-ID: ${3:-0}" "$1/api/v1/events"
