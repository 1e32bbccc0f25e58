# shellcheck shell=bash
# Images for the container tests; sourced by .ci/run.
#
#   postgres_image  makes the image postgres:15 available: the official one if
#                   a registry answers, otherwise a stand-in with the same
#                   major version, made from Debian's packages.
#
# Docker keeps the image, so that only the first run on a machine makes it.

postgres_image() {
  if docker image inspect postgres:15 >/dev/null 2>&1; then
    return
  fi
  if timeout 120 docker pull --quiet postgres:15 2>/dev/null; then
    return
  fi
  echo "No registry answers: making postgres:15 from Debian's packages"
  apt_install debootstrap debian-archive-keyring

  local root status=0
  root=$(mktemp -d)
  # Debian 12 (bookworm) is the release that carries PostgreSQL 15.
  if ! debootstrap --variant=minbase --include=postgresql-15 bookworm "$root" >"$root.log" 2>&1; then
    tail -n 20 "$root.log" >&2
    rm -rf "$root" "$root.log"
    return 1
  fi
  rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/var/lib/postgresql/15
  install -m 0755 .ci/postgres-entrypoint.sh "$root/usr/local/bin/docker-entrypoint.sh"
  tar -C "$root" -c . | docker import \
    --change 'ENV PATH=/usr/lib/postgresql/15/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
    --change 'ENV LANG=C.UTF-8 PGDATA=/var/lib/postgresql/data' \
    --change 'ENTRYPOINT ["docker-entrypoint.sh"]' \
    --change 'CMD ["postgres"]' \
    --change 'EXPOSE 5432' \
    --change 'LABEL claimflow.stand-in=true' \
    - postgres:15 || status=$?
  rm -rf "$root" "$root.log"
  return "$status"
}
