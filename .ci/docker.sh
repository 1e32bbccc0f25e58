# shellcheck shell=bash
# Docker for the container tests; sourced by .ci/run.
#
#   docker_up    makes "docker" work: if no engine answers, installs and
#                starts one, which requires root.
#   docker_down  ends the engine if docker_up started it.

dockerd_pid=""
dockerd_log=""

docker_up() {
  if ! docker_answers; then
    apt_install docker.io iptables ca-certificates
  fi
  if docker_answers; then # the package may have started it
    return
  fi
  # The plain engine first. Then without overlayfs and without iptables, which
  # a container or a locked-down kernel may lack; ports are published by
  # Docker's proxy all the same.
  local options
  for options in "" "--storage-driver=vfs" "--iptables=false --ip6tables=false" \
    "--iptables=false --ip6tables=false --storage-driver=vfs"; do
    # shellcheck disable=SC2086 # a list of words
    if dockerd_start $options; then
      echo "started dockerd $options"
      return
    fi
  done
  echo "No Docker engine could be started. The last one said:" >&2
  tail -n 20 "$dockerd_log" >&2
  return 1
}

docker_down() {
  if [[ -z $dockerd_pid ]]; then
    return
  fi
  kill "$dockerd_pid" 2>/dev/null || true
  wait "$dockerd_pid" 2>/dev/null || true
  dockerd_pid=""
  rm -f "$dockerd_log"
}

docker_answers() {
  command -v docker >/dev/null && docker info >/dev/null 2>&1
}

# dockerd_start OPTION... starts the engine and waits until it answers.
dockerd_start() {
  drop_stale_pid /var/run/docker.pid dockerd
  drop_stale_pid /var/run/docker/containerd/containerd.pid containerd
  dockerd_log=$(mktemp)
  dockerd "$@" >"$dockerd_log" 2>&1 &
  dockerd_pid=$!
  local i
  for ((i = 0; i < 60; i++)); do
    if docker_answers; then
      return
    fi
    if ! kill -0 "$dockerd_pid" 2>/dev/null; then
      break
    fi
    sleep 0.5
  done
  kill "$dockerd_pid" 2>/dev/null || true
  wait "$dockerd_pid" 2>/dev/null || true
  dockerd_pid=""
  return 1
}

# drop_stale_pid FILE NAME removes a pid file that an engine left when it was
# killed. The pid may belong to another process by now, and the next engine would
# take that process for a running engine.
drop_stale_pid() {
  local name=""
  if [[ -f $1 ]]; then
    name=$(cat "/proc/$(<"$1")/comm" 2>/dev/null || true)
    if [[ $name != "$2" ]]; then
      rm -f "$1"
    fi
  fi
}
