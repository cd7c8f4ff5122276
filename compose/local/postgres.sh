# PostgreSQL of our own: where its data lies, whose it is, making it, starting it.
# Sourced by ./servers. It refuses to run as root, so as root it runs as the system user postgres,
# who may not be able to reach this checkout (a clone below /root).

# The real folder of the data: .urna/postgres, or what that is a link to, if this checkout made the
# link. One that came with a copy of another checkout leads to the other's data.
postgres_folder() {
  if is_elsewhere; then postgres_elsewhere; else echo "$state/postgres"; fi
}

is_elsewhere() { [ "$(readlink "$state/postgres" 2>/dev/null)" = "$(postgres_elsewhere)" ]; }

# Where the data of this checkout lies when the user postgres cannot reach it here.
postgres_elsewhere() { echo "/var/lib/urna-$(printf %s "$root" | cksum | cut -d ' ' -f 1)/postgres"; }

owner_of() {
  # shellcheck disable=SC2012 # stat is spelled differently on each system
  ls -ld "$1" | awk '{ print $3 }'
}

# Whom the server runs as: the owner of the data, or whoever would be.
postgres_user() {
  local folder
  folder=$(postgres_folder)
  if [ "$(id -u)" != 0 ]; then
    id -un
  elif [ -d "$folder" ] && [ "$(owner_of "$folder")" != root ]; then
    owner_of "$folder"
  else
    echo postgres
  fi
}

# In / because the user may not enter the current folder; LC_ALL because macOS has none in some shells.
as_postgres() { # COMMAND…
  local user
  user=$(postgres_user)
  (
    cd /
    export LC_ALL=C
    if [ "$user" = "$(id -un)" ]; then
      exec "$@"
    elif have runuser; then
      exec runuser -u "$user" -- "$@"
    else
      exec sudo -u "$user" env LC_ALL=C "$@"
    fi
  )
}

# Makes the cluster, once. It is made under another name and renamed when whole, so that an
# interruption leaves nothing half made.
make_postgres_data() {
  local folder new
  choose_postgres_folder
  folder=$(postgres_folder)
  if [ -d "$folder" ]; then
    [ ! -e "$state/postgres-password" ] ||
      fail "the data in .urna was made by an older Urna: remove it with make clean-data"
    [ "$(id -u)" = 0 ] || [ -O "$folder" ] ||
      fail ".urna/postgres belongs to $(owner_of "$folder"): run this as that user, or make clean-data as root"
    return 0
  fi
  say "making the PostgreSQL database"
  new=$folder.new
  rm -rf "$new"
  if ! initialise_postgres "$new" >"$state/log/initdb.log" 2>&1; then
    tail -n 20 "$state/log/initdb.log" | sed 's/^/    /' >&2
    fail "the PostgreSQL database could not be made: see .urna/log/initdb.log"
  fi
  mv "$new/data" "$folder"
  rm -rf "$new"
}

# The database `urna`, and the role `deploy`, which creates the other roles. Passwords are asked for even on
# loopback: other people of this machine can reach that too.
initialise_postgres() { # FOLDER
  mkdir -m 700 "$1" &&
    cp "$state/credentials/postgres/deploy.password" "$1/password" &&
    { [ "$(id -u)" != 0 ] || chown -R "$(postgres_user)" "$1"; } &&
    as_postgres "$postgres_bin/initdb" -D "$1/data" --username=deploy --pwfile="$1/password" \
      --auth=scram-sha-256 --encoding=UTF8 --locale=C --data-checksums &&
    echo 'create database urna' | as_postgres "$postgres_bin/postgres" --single -j -D "$1/data" postgres
}

# Settles where the data goes.
choose_postgres_folder() {
  if [ -L "$state/postgres" ] && ! is_elsewhere; then
    say ".urna/postgres leads to another checkout's data: leaving that alone"
    rm "$state/postgres"
  fi
  if [ -e "$state/postgres" ] || [ "$(id -u)" != 0 ]; then return 0; fi
  id postgres >/dev/null 2>&1 ||
    fail "PostgreSQL does not run as root and there is no user postgres: make one, or run this as another user"
  if as_postgres test -x "$state"; then return 0; fi
  mkdir -p "$(dirname "$(postgres_elsewhere)")"
  ln -sfn "$(postgres_elsewhere)" "$state/postgres"
}

# A pid that was ours before a crash may be another program's after a reboot; PostgreSQL would then
# wait for that one's end for ever.
forget_stale_postgres_pid() {
  local folder pid
  folder=$(postgres_folder)
  pid=$(head -n 1 "$folder/postmaster.pid" 2>/dev/null) || return 0
  case " $(command_of "$pid")" in
    *postgres*) ;;
    *) rm -f "$folder/postmaster.pid" ;;
  esac
}

# Returns when it answers. pg_ctl takes it out of our session, and waits by asking it.
start_postgres() {
  local folder
  folder=$(postgres_folder)
  forget_stale_postgres_pid
  keep_log_before postgres
  echo "$POSTGRES_PORT" >"$state/run/postgres.port"
  # TCP only: the path of a Unix socket may be 103 bytes long, that of a checkout may be more.
  local options="-p $POSTGRES_PORT -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=on"
  # Its own file is our pid file: the process id is in its first line.
  ln -sfn "$folder/postmaster.pid" "$state/run/postgres.pid"
  as_postgres "$postgres_bin/pg_ctl" start -s -w -t 60 -D "$folder" -o "$options" \
    >>"$state/log/postgres.log" 2>&1 </dev/null || did_not_start postgres
}

# Prints what it removed.
remove_postgres_data() {
  if is_elsewhere; then remove "$(dirname "$(postgres_elsewhere)")"; fi
  remove "$state/postgres.new"
  remove "$state/postgres"
}
