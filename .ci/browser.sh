# shellcheck shell=bash
# The browser that tests of the portal drive, and axe-core, which finds barriers on its
# pages; sourced by .ci/run.
#
#   browser  installs them if they are missing, and sets CLAIMFLOW_AXE.

browser() {
  if ! command -v chromium >/dev/null; then
    apt_install chromium fonts-dejavu-core
  fi
  if ! command -v npm >/dev/null; then
    apt_install npm
  fi
  local folder="${XDG_CACHE_HOME:-$HOME/.cache}/claimflow-ci/axe-core-$AXE_CORE"
  if [[ ! -f $folder/package/axe.min.js ]]; then
    mkdir -p "$folder"
    (cd "$folder" && npm pack --silent "axe-core@$AXE_CORE" >/dev/null && tar -xzf ./*.tgz package/axe.min.js && rm ./*.tgz)
  fi
  export CLAIMFLOW_AXE="$folder/package/axe.min.js"
  export CLAIMFLOW_SCREENSHOTS="$PWD/.ci/screenshots"
  rm -rf "$CLAIMFLOW_SCREENSHOTS"
}
