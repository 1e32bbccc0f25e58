#!/bin/sh
# Creates Claimflow's namespace and the search attributes that operators use to
# find claims. Safe to run again. Uses TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE.
set -eu

# A claim's workflow may run for months; this is how long a closed run is kept.
retention=30d

if ! temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" >/dev/null 2>&1; then
  temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention "$retention"
fi

# A new namespace becomes visible after a few seconds.
attempt=0
until temporal operator search-attribute create --namespace "$TEMPORAL_NAMESPACE" \
  --name ClaimShop --type Keyword \
  --name ClaimId --type Keyword \
  --name ClaimReason --type Keyword \
  --name ClaimOrder --type Keyword \
  --name ClaimState --type Keyword \
  --name ClaimCause --type Keyword \
  --name ClaimConversation --type Keyword \
  --name DixaConnection --type Keyword \
  --name ImportState --type Keyword; do
  attempt=$((attempt + 1))
  if [ "$attempt" -ge 15 ]; then
    echo "The search attributes could not be created." >&2
    exit 1
  fi
  sleep 2
done
